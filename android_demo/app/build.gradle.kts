import java.util.Properties

plugins {
    id("com.android.application")
}

// What `edge-sdk android build` reads, too.
val app = Properties().apply { rootProject.file("android.properties").reader().use { load(it) } }

fun text(key: String): String = app.getProperty(key) ?: error("android.properties lacks $key")

fun number(key: String): Int = text(key).toInt()

android {
    namespace = "dev.edgesdk.demo"
    compileSdk = number("compileSdk")

    defaultConfig {
        applicationId = text("applicationId")
        minSdk = number("minSdk")
        targetSdk = number("targetSdk")
        versionCode = number("versionCode")
        versionName = text("versionName")
        ndk { abiFilters += text("abis").split(",") }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    // Models are mapped where they lie in the APK.
    androidResources { noCompress += listOf("edge", "tflite") }

    packaging { jniLibs { useLegacyPackaging = false } }
}

// Versions equal deps.lock; tests/core/android/test_gradle.py compares them.
dependencies {
    implementation("org.tensorflow:tensorflow-lite:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-api:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-gpu:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-gpu-api:2.14.0")
    implementation("org.bouncycastle:bcprov-jdk15to18:1.82")
}
