package dev.edgesdk.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.os.Bundle;
import android.os.Parcelable;
import android.util.AttributeSet;
import android.view.MotionEvent;
import android.view.View;

/**
 * A sheet of 32 x 32 dots to draw on with a finger. Its 8 x 8 values are shares of dots set in blocks of 4 x 4, which is
 * how the digits of scikit-learn were made.
 */
public final class DrawView extends View {
    /** Blocks along a side. */
    static final int SIDE = 8;
    private static final int BLOCK = 4, DOTS = SIDE * BLOCK;
    private static final float PEN = 3.2f;

    private final Bitmap sheet = Bitmap.createBitmap(DOTS, DOTS, Bitmap.Config.ARGB_8888);
    private final Canvas canvas = new Canvas(sheet);
    private final Paint pen = new Paint();
    private final Paint paper = new Paint();
    private float lastX;
    private float lastY;

    /** As a layout makes it. */
    public DrawView(Context context, AttributeSet attributes) {
        super(context, attributes);
        pen.setColor(Color.WHITE);
        pen.setStrokeWidth(PEN);
        pen.setStrokeCap(Paint.Cap.ROUND);
        paper.setFilterBitmap(false);
        setSaveEnabled(true);
        clear();
    }

    /** An empty sheet. */
    void clear() {
        sheet.eraseColor(Color.BLACK);
        invalidate();
    }

    /** 64 values from 0 to 1, row by row. */
    float[] values() {
        int[] dots = dots();
        float[] made = new float[SIDE * SIDE];
        for (int place = 0; place < dots.length; place++) {
            int block = place / DOTS / BLOCK * SIDE + place % DOTS / BLOCK;
            made[block] += Color.red(dots[place]) > 127 ? 1f / (BLOCK * BLOCK) : 0;
        }
        return made;
    }

    @Override
    protected void onDraw(Canvas screen) {
        super.onDraw(screen);
        screen.drawBitmap(sheet, null, new android.graphics.Rect(0, 0, getWidth(), getHeight()), paper);
    }

    @Override
    public boolean onTouchEvent(MotionEvent event) {
        float x = event.getX() * DOTS / getWidth();
        float y = event.getY() * DOTS / getHeight();
        if (event.getAction() == MotionEvent.ACTION_DOWN) {
            // Else the page would scroll away under the finger.
            getParent().requestDisallowInterceptTouchEvent(true);
            lastX = x;
            lastY = y;
        } else if (event.getAction() == MotionEvent.ACTION_UP) {
            performClick();
        }
        canvas.drawLine(lastX, lastY, x, y, pen);
        canvas.drawPoint(x, y, pen);
        lastX = x;
        lastY = y;
        invalidate();
        return true;
    }

    @Override
    public boolean performClick() {
        return super.performClick();
    }

    @Override
    protected Parcelable onSaveInstanceState() {
        Bundle made = new Bundle();
        made.putParcelable("view", super.onSaveInstanceState());
        made.putIntArray("dots", dots());
        return made;
    }

    @Override
    @SuppressWarnings("deprecation")
    protected void onRestoreInstanceState(Parcelable state) {
        Bundle held = (Bundle) state;
        Parcelable own = held.getParcelable("view");
        super.onRestoreInstanceState(own);
        int[] dots = held.getIntArray("dots");
        if (dots != null && dots.length == DOTS * DOTS) {
            sheet.setPixels(dots, 0, DOTS, 0, 0, DOTS, DOTS);
            invalidate();
        }
    }

    private int[] dots() {
        int[] made = new int[DOTS * DOTS];
        sheet.getPixels(made, 0, DOTS, 0, 0, DOTS, DOTS);
        return made;
    }
}
