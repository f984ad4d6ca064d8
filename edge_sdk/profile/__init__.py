"""Device profiles: what a device is, as data. ``reading`` finds them, ``records`` says what they hold."""
