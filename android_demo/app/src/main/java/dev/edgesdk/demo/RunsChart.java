package dev.edgesdk.demo;

import java.util.Locale;

import android.content.Context;
import android.content.res.TypedArray;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.util.AttributeSet;
import android.util.TypedValue;
import android.view.View;

/** Latency of each run over time, from 0 up, with a line at the median. */
public final class RunsChart extends View {
    private final Paint dots = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint words = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final float density;
    private double[] ms = new double[0];
    private double median;

    /** As a layout makes it. */
    public RunsChart(Context context, AttributeSet attributes) {
        super(context, attributes);
        density = context.getResources().getDisplayMetrics().density;
        TypedArray colours = context.obtainStyledAttributes(
                new int[] {android.R.attr.textColorPrimary, android.R.attr.colorAccent});
        words.setColor(colours.getColor(0, Color.GRAY));
        dots.setColor(colours.getColor(1, Color.GRAY));
        colours.recycle();
        line.setColor(words.getColor());
        line.setStrokeWidth(density);
        words.setTextSize(TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, 12,
                context.getResources().getDisplayMetrics()));
    }

    /** Milliseconds in order, and their median. */
    void show(double[] runs, double middle) {
        ms = runs.clone();
        median = middle;
        setContentDescription(String.format(Locale.getDefault(), "Chart of %d runs: median %.3f ms, largest %.3f ms",
                ms.length, median, largest()));
        invalidate();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        if (ms.length == 0) {
            return;
        }
        float top = words.getTextSize() + 4 * density;
        float height = getHeight() - top - 2 * density;
        double most = largest();
        for (int index = 0; index < ms.length; index++) {
            float x = (index + 0.5f) * getWidth() / ms.length;
            canvas.drawCircle(x, top + height * (float) (1 - ms[index] / most), 1.5f * density, dots);
        }
        float middle = top + height * (float) (1 - median / most);
        canvas.drawLine(0, middle, getWidth(), middle, line);
        canvas.drawLine(0, top + height, getWidth(), top + height, line);
        canvas.drawText(String.format(Locale.getDefault(), "0 to %.3f ms; line: median", most), 0, words.getTextSize(),
                words);
    }

    private double largest() {
        double most = 0;
        for (double one : ms) {
            most = Math.max(most, one);
        }
        return most;
    }
}
