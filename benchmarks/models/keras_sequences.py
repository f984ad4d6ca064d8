"""Recurrent and attention models in Keras as its guides build them, from a seed: what is compared is arithmetic."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

_STEPS, _FEATURES, _WIDTH, _WORDS, _CLASSES = 20, 8, 32, 99, 5


def _model(body: Any, *inputs: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Model(list(inputs), body(*inputs))


def _series(name: str = "series") -> Any:
    return keras.Input((_STEPS, _FEATURES), name=name)


def _words(name: str = "words") -> Any:
    return keras.Input((_STEPS,), dtype="int32", name=name)


def _classes(x: Any) -> Any:
    return layers.Dense(_CLASSES)(x)


def lstm() -> keras.Model:
    """One layer, the last state."""
    return _model(lambda x: _classes(layers.LSTM(_WIDTH)(x)), _series())


def lstm_stacked_backwards() -> keras.Model:
    """Two layers, the first of which runs backwards and gives all steps."""
    return _model(
        lambda x: _classes(layers.LSTM(_WIDTH)(layers.LSTM(_WIDTH, go_backwards=True, return_sequences=True)(x))),
        _series(),
    )


def gru() -> keras.Model:
    """With the reset gate behind the product, as cuDNN has it."""
    return _model(lambda x: _classes(layers.GRU(_WIDTH)(x)), _series())


def gru_reset_before() -> keras.Model:
    """With the reset gate before the product, as the paper has it."""
    return _model(lambda x: _classes(layers.GRU(_WIDTH, reset_after=False, return_sequences=True)(x)), _series())


def simple_rnn() -> keras.Model:
    """No gates."""
    return _model(lambda x: _classes(layers.SimpleRNN(_WIDTH)(x)), _series())


def bidirectional_lstm() -> keras.Model:
    """Over words, padding masked."""

    def body(x: Any) -> Any:
        embedded = layers.Embedding(_WORDS, _WIDTH, mask_zero=True)(x)
        return _classes(layers.Bidirectional(layers.LSTM(_WIDTH))(embedded))

    return _model(body, _words())


def bidirectional_gru_summed() -> keras.Model:
    """Both directions added, at every step."""
    return _model(
        lambda x: _classes(layers.Bidirectional(layers.GRU(_WIDTH, return_sequences=True), merge_mode="sum")(x)),
        _series(),
    )


def conv_lstm_1d() -> keras.Model:
    """Over a line of values."""

    def body(x: Any) -> Any:
        return _classes(layers.GlobalAveragePooling1D()(layers.ConvLSTM1D(8, 3, padding="same")(x)))

    return _model(body, keras.Input((6, 24, 3), name="lines"))


def conv_lstm_2d() -> keras.Model:
    """The next frame of a video."""

    def body(x: Any) -> Any:
        hidden = layers.ConvLSTM2D(8, 3, padding="same", return_sequences=True)(x)
        return layers.Conv2D(1, 3, padding="same")(layers.ConvLSTM2D(8, 3, padding="same")(hidden))

    return _model(body, keras.Input((6, 16, 16, 1), name="video"))


def frames_then_lstm() -> keras.Model:
    """A small CNN on every frame, then time."""

    def body(x: Any) -> Any:
        frame = keras.Sequential([layers.Conv2D(8, 3, 2, activation="relu"), layers.GlobalAveragePooling2D()])
        return _classes(layers.LSTM(_WIDTH)(layers.TimeDistributed(frame)(x)))

    return _model(body, keras.Input((6, 16, 16, 3), name="video"))


def encoder_decoder() -> keras.Model:
    """The decoder begins with the encoder's states."""

    def body(source: Any, target: Any) -> Any:
        _, hidden, cell = layers.LSTM(_WIDTH, return_state=True)(layers.Embedding(_WORDS, _WIDTH)(source))
        decoded = layers.LSTM(_WIDTH, return_sequences=True)(
            layers.Embedding(_WORDS, _WIDTH)(target), initial_state=[hidden, cell]
        )
        return layers.Dense(_WORDS)(decoded)

    return _model(body, _words("source"), _words("target"))


def luong_attention() -> keras.Model:
    """Dot products between two GRUs' steps."""

    def body(source: Any, target: Any) -> Any:
        keys = layers.GRU(_WIDTH, return_sequences=True)(layers.Embedding(_WORDS, _WIDTH)(source))
        query = layers.GRU(_WIDTH, return_sequences=True)(layers.Embedding(_WORDS, _WIDTH)(target))
        return layers.Dense(_WORDS)(layers.Concatenate()([query, layers.Attention()([query, keys])]))

    return _model(body, _words("source"), _words("target"))


def bahdanau_attention() -> keras.Model:
    """Sums behind a tanh."""

    def body(x: Any) -> Any:
        steps = layers.Bidirectional(layers.LSTM(_WIDTH, return_sequences=True))(x)
        return _classes(layers.GlobalMaxPooling1D()(layers.AdditiveAttention()([steps, steps])))

    return _model(body, _series())


def transformer_encoder() -> keras.Model:
    """Keras' example for text: positions learnt, two blocks."""

    def body(x: Any) -> Any:
        places = layers.Embedding(_STEPS, _WIDTH)(keras.ops.arange(_STEPS))
        hidden = layers.Embedding(_WORDS, _WIDTH)(x) + places
        for _ in range(2):
            attended = layers.MultiHeadAttention(4, _WIDTH // 4)(hidden, hidden)
            hidden = layers.LayerNormalization(epsilon=1e-6)(hidden + attended)
            dense = layers.Dense(_WIDTH)(layers.Dense(64, activation="gelu")(hidden))
            hidden = layers.LayerNormalization(epsilon=1e-6)(hidden + dense)
        return _classes(layers.GlobalAveragePooling1D()(hidden))

    return _model(body, _words())


def causal_decoder() -> keras.Model:
    """Masked attention before cross attention."""

    def body(source: Any, target: Any) -> Any:
        memory = layers.Embedding(_WORDS, _WIDTH)(source)
        hidden = layers.Embedding(_WORDS, _WIDTH)(target)
        hidden += layers.MultiHeadAttention(4, 8)(hidden, hidden, use_causal_mask=True)
        hidden += layers.MultiHeadAttention(4, 8)(layers.LayerNormalization()(hidden), memory)
        return layers.Dense(_WORDS)(hidden)

    return _model(body, _words("source"), _words("target"))


def grouped_query_attention() -> keras.Model:
    """Fewer keys than queries."""
    return _model(
        lambda x: _classes(layers.GroupQueryAttention(8, 4, 2)(layers.Dense(_WIDTH)(x), layers.Dense(_WIDTH)(x))),
        _series(),
    )


MODELS = (
    *(lstm, lstm_stacked_backwards, gru, gru_reset_before, simple_rnn, bidirectional_lstm, bidirectional_gru_summed),
    *(conv_lstm_1d, conv_lstm_2d, frames_then_lstm, encoder_decoder, luong_attention, bahdanau_attention),
    *(transformer_encoder, causal_decoder, grouped_query_attention),
)
"""Recurrent, then attention."""
