"""The demo app: building an APK without Android Studio, and checking any APK that carries models."""
