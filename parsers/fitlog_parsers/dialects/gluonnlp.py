"""The scripts of GluonNLP, 0.x and 1.x, and what was published with it.

Each script prints by hand: most in brackets with the epoch and the batch (`[Epoch 0 Batch 200/372]
loss 5.1, ppl 164.0`), some in sentences. Their sums are set to zero after each line, so a value is
of the batches since the last one.
"""

from __future__ import annotations

from typing import Final

from fitlog_parsers import building, fields
from fitlog_parsers.building import event
from fitlog_parsers.dialects.gluonnlp_bert import BERT
from fitlog_parsers.dialects.module import START_WITH_ARGUMENTS
from fitlog_parsers.fields import FIELDS
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern

_END = r"(?=[ \t\r]*+(?:$|\[Epoch[ ]))"
# Digits keep these apart from prose: `Epoch complete`.
_EPOCH_STARTS: Final = tuple(f"Epoch {digit}" for digit in range(10))
# What a line of a whole epoch begins with; `training: accuracy=0.5` is other scripts' writing.
_OF_EPOCH = r"""(?=(?:train(?:ing)?|valid(?:ation)?|val|dev|test|best)[ _][A-Za-z]
    |throughput[ =]|time[ ]cost[ =])"""
_VALIDATION: Final = fields.report(split="validation", scope="epoch")

_TEST_BELOW = Rule(
    name="test below",
    starts=("test loss ",),
    pattern=compile_pattern(rf"(?=test[ ]loss[ ]){FIELDS}{_END}"),
    build=_VALIDATION,
    example="test loss 4.61, test ppl 100.48",
    source="scripts/language_model/word_language_model.py of 2018, train",
)

_SCORES_BELOW = Rule(
    name="scores below",
    starts=("valid_loss ", "test_loss "),
    pattern=compile_pattern(rf"(?=(?:valid|test)_loss[ ]){FIELDS}{_END}"),
    build=_VALIDATION,
    example="valid_loss 0.8137, valid_p 84.210, valid_r 81.770, valid_f1 82.972",
    source="a CharCNN-BiLSTM-CRF tagger published with GluonNLP",
)

GLUONNLP = Dialect(
    name="gluonnlp",
    about="the scripts of GluonNLP, 0.x and 1.x",
    rules=(
        START_WITH_ARGUMENTS,
        *BERT,
        Rule(
            name="batch",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""\[Epoch[ ](?P<epoch>{INT})[ ](?:Batch|Iter)[ ](?P<batch_end>{INT})
                (?:/{INT}(?:,[ ]Overall[ ]{INT}/{INT})?)?\][ ]++{FIELDS}{_END}"""
            ),
            build=fields.report(),
            example="[Epoch 0 Batch 200/518] current loss 6.12, ppl 454.86,"
            " throughput 611.95 samples/s, lr 28.29",
            source="scripts/language_model, machine_translation, word_embeddings, ...: train",
        ),
        Rule(
            name="epoch",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""\[Epoch[ ](?P<epoch>{INT})\](?:\[Iter[ ]{INT}/{INT}\])?[ ]++{_OF_EPOCH}
                {FIELDS}(?:,[ ]Detail=[^\t\r\n]*+)?{_END}"""
            ),
            build=fields.report(scope="epoch"),
            example="[Epoch 0] time cost 68.30s, valid loss 4.68, valid ppl 107.77, lr 30.00",
            source="scripts/language_model, machine_translation, sentiment_analysis, ...: train",
            opens=(_TEST_BELOW,),
        ),
        Rule(
            name="time of an epoch",
            starts=_EPOCH_STARTS,
            pattern=compile_pattern(
                rf"Epoch[ ](?P<epoch>{INT})[ ]took[ ](?P<seconds>{FLOAT})[ ]seconds\.?"
            ),
            build=building.report(),
            example="Epoch 0 took 2914.66 seconds.",
            source="scripts/language_model/large_word_language_model.py, train",
        ),
        Rule(
            name="test batch",
            starts=("Evaluation batch ",),
            pattern=compile_pattern(
                rf"Evaluation[ ]batch[ ](?P<batch_end>{INT}):[ ](?=test[ ]){FIELDS}{_END}"
            ),
            build=fields.report(split="validation", scope="running"),
            example="Evaluation batch 400: test loss 3.94, test ppl 51.42",
            source="scripts/language_model/large_word_language_model.py, test",
        ),
        Rule(
            name="speed of the training",
            starts=("Total training throughput ",),
            pattern=compile_pattern(
                rf"Total[ ]training[ ](?P<fields>throughput[ ]{FLOAT}[ ]samples/s){_END}"
            ),
            build=fields.report(scope="epoch"),
            example="Total training throughput 30105.42 samples/s",
            source="scripts/language_model/word_language_model.py, train",
        ),
        Rule(
            name="best model",
            starts=("Best validation ", "Best test ", "Best model valid ", "Best model test "),
            pattern=compile_pattern(rf"Best[ ](?:model[ ])?{FIELDS}{_END}"),
            build=fields.report(split="validation", scope="epoch", kept="best-"),
            example="Best validation loss 4.41, val ppl 82.27",
            source="scripts/language_model/word_language_model.py; machine_translation",
        ),
        Rule(
            name="final test",
            starts=("Test loss ",),
            pattern=compile_pattern(rf"(?=Test[ ]loss[ ]){FIELDS}{_END}"),
            build=_VALIDATION,
            example="Test loss 0.317204, test acc 0.8880",
            source="scripts/sentiment_analysis/sentiment_analysis_cnn.py, train",
        ),
        Rule(
            name="lr change",
            starts=("Learning rate after interval update ", "Learning rate change to "),
            pattern=compile_pattern(
                rf"""Learning[ ]rate[ ](?:after[ ]interval[ ]update|change[ ]to)
                [ ](?P<value>{FLOAT}){_END}"""
            ),
            build=event("lr"),
            example="Learning rate after interval update 3.000000",
            source="scripts/language_model/word_language_model.py; machine_translation",
        ),
        Rule(
            name="test of an epoch",
            starts=("Epochs completed : ",),
            pattern=compile_pattern(
                rf"Epochs[ ]completed[ ]:[ ](?P<epoch>{INT})[ ](?=Test[ ]){FIELDS}{_END}"
            ),
            build=_VALIDATION,
            example="Epochs completed : 0 Test Accuracy: 0.8931578947368421, Test Loss: 0.6420918",
            source="scripts/text_classification/fasttext_word_ngram.py, train",
        ),
        Rule(
            name="tagging batch",
            starts=_EPOCH_STARTS,
            pattern=compile_pattern(
                rf"""Epoch[ ](?P<epoch>{INT}),[ ]n_batch[ ](?P<batch_end>{INT}),[ ]{FIELDS}{_END}"""
            ),
            build=fields.report(),
            example="Epoch 0, n_batch 100, loss 14.2081",
            source="a CharCNN-BiLSTM-CRF tagger published with GluonNLP",
        ),
        Rule(
            name="tagging epoch",
            # The end of the logger's prefix tells it from prose.
            starts=("- epoch ",),
            pattern=compile_pattern(
                rf"-[ ]epoch[ ](?P<epoch>{INT}),[ ](?P<fields>learning_rate[ ]{FLOAT}){_END}"
            ),
            build=fields.report(),
            example="- epoch 0, learning_rate 0.015",
            source="a CharCNN-BiLSTM-CRF tagger published with GluonNLP",
            opens=(_SCORES_BELOW,),
        ),
        Rule(
            name="region batch",
            # Tuples, as Python 2 prints them.
            starts=("'train_loss:', ",),
            pattern=compile_pattern(
                rf"""(?P<fields>'train_loss:',[ ]'?{FLOAT}'?,[ ]'[ ]?train_acc:',[ ]'?{FLOAT}'?
                ,[ ]'[ ]?time:',[ ]'?{FLOAT}'?)\){_END}"""
            ),
            build=building.report(
                fields=compile_pattern(rf"(?P<metric>[a-z_]++):',[ ]'?(?P<value>{FLOAT})"),
                prefixes={"train_": "train"},
            ),
            example="'train_loss:', '0.7310255', ' train_acc:', 0.871875, 'time:', 11.4182)",
            source="a region embedding classifier published with GluonNLP",
        ),
        Rule(
            name="region epoch",
            starts=("('epoch ",),
            pattern=compile_pattern(
                rf"""\('epoch[ ](?P<epoch>{INT})[ ]done',[ ]'
                (?P<fields>acc[ ]=[ ]{FLOAT},[ ]?loss[ ]=[ ]{FLOAT})'\){_END}"""
            ),
            build=_VALIDATION,
            example="('epoch 1 done', 'acc = 0.9183,loss = 0.2604')",
            source="a region embedding classifier published with GluonNLP",
        ),
        Rule(
            name="time of the training",
            starts=("Total time cost ",),
            pattern=compile_pattern(rf"Total[ ]time[ ]cost[ ](?P<value>{FLOAT})s{_END}"),
            build=event("end"),
            example="Total time cost 5210.77s",
            source="scripts/language_model/word_language_model.py; sentiment_analysis",
        ),
    ),
)
