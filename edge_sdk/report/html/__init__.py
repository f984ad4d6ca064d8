"""Results as pages: one self-contained HTML file that runs nothing and loads nothing.

A page is a function of a command's JSON and of nothing else, so that ``--html`` and ``edge-sdk report`` make the same
bytes. Pictures are SVG made here: what is drawn is lanes, bars and steps by the thousand, which stretch with the page
(``preserveAspectRatio="none"``, all text outside in HTML), take their colours from the page's light or dark scheme, and
stay under a megabyte for 10,000 ops. Matplotlib's SVGs (extra ``report``) do none of the four and are slower than the
two seconds allowed; Plotly and Bokeh bring megabytes of script.

``kinds.py`` knows which page a result gets; ``page.py`` is the frame; each picture has a module of its own.
"""
