"""Makes Tests/Reference/fixtures/tokenizers/families: a small tokenizer.json in the shape of each family of models, and
the ids and decoded texts that Hugging Face's tokenizers give.

    python Tests/Reference/make_tokenizer_families.py

The vocabularies are trained on the bundled dialogues; nothing is taken from a published tokenizer but the patterns and the
order of its steps.
"""
import json
import pathlib
import tempfile

import sentencepiece
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

from tokenizer_texts import nasty, random_texts

root = pathlib.Path(__file__).parent
out = root / "fixtures/tokenizers/families"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]


def corpus():
    lines = (root / "../../Examples/dialogues.jsonl").read_text().splitlines()
    return [message["content"] for line in lines for message in json.loads(line)["messages"]]


def bpe(texts, *, normalizer=None, pre=None, post=None, decoder=None, byte_level=False, special=(), size=700, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer: tokenizer.normalizer = normalizer
    if pre: tokenizer.pre_tokenizer = pre
    if decoder: tokenizer.decoder = decoder
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), show_progress=False, max_token_length=12,
        limit_alphabet=400 if byte_level else 150,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if byte_level else []))
    if post: tokenizer.post_processor = post(tokenizer)
    return tokenizer


def template(before, after=()):
    def make(tokenizer):
        names = [*before, *after]
        return processors.TemplateProcessing(
            single=" ".join([*before, "$A", *after]), special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])
    return make


def byte_level(use_regex=True, space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=space, use_regex=use_regex)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def unigram(texts, byte_fallback, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder) / "rules.tsv"
        # Full-width letters, ligatures, half-width kana with and without their voice marks.
        pairs = {"Ａ": "A", "ａ": "a", "１": "1", "２": "2", "ﾊﾟ": "パ", "ﾊ": "ハ", "ﾝ": "ン", "ｶ": "カ", "½": "1/2",
                 "e\u0301": "é", "\u3000": " ", "\u00a0": " ", "Ⅷ": "VIII", "\t": " ", "🇯🇵": "JP"}
        rules.write_text("".join(
            " ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n" for a, b in pairs.items()))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_prefix=f"{folder}/m", vocab_size=900, model_type="unigram",
            byte_fallback=byte_fallback, normalization_rule_tsv=str(rules), character_coverage=0.985, minloglevel=2,
            max_sentencepiece_length=8, **arguments)
        from sentencepiece import sentencepiece_model_pb2
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(pathlib.Path(f"{folder}/m.model").read_bytes())
    vocabulary = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=proto.trainer_spec.unk_id, byte_fallback=byte_fallback))
    tokenizer.add_special_tokens([p.piece for p in proto.pieces if p.type in (2, 3)])
    return tokenizer, proto.normalizer_spec.precompiled_charsmap


def families(texts):
    cls = lambda t: processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    spm = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    yield "gpt2", bpe(texts, pre=byte_level(), decoder=decoders.ByteLevel(), byte_level=True, special=["<|end|>"])
    yield "roberta", bpe(texts, pre=byte_level(space=True), decoder=decoders.ByteLevel(), byte_level=True,
                         special=["<s>", "</s>"], post=cls)
    yield "llama3", bpe(
        texts, pre=pre_tokenizers.Sequence([split(LLAMA3), byte_level(False)]), decoder=decoders.ByteLevel(),
        byte_level=True, special=["<|begin_of_text|>", "<|end|>"], post=template(["<|begin_of_text|>"]), ignore_merges=True)
    yield "qwen", bpe(
        texts, normalizer=normalizers.NFC(), pre=pre_tokenizers.Sequence([split(QWEN), byte_level(False)]),
        decoder=decoders.ByteLevel(), byte_level=True, special=["<|end|>"])
    yield "o200k", bpe(texts, pre=pre_tokenizers.Sequence([split(O200K), byte_level(False)]),
                       decoder=decoders.ByteLevel(), byte_level=True, special=["<|end|>"])
    yield "deepseek", bpe(
        texts, byte_level=True, special=["<|end|>"], decoder=decoders.ByteLevel(), pre=pre_tokenizers.Sequence([
            split(r"[\r\n]"), split(r"\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+"), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"),
            split(r"[一-龥ࠀ-一가-퟿]+"), pre_tokenizers.Digits(individual_digits=True), byte_level(False)]))
    yield "smollm", bpe(texts, pre=pre_tokenizers.Sequence([pre_tokenizers.Digits(True), byte_level()]),
                        decoder=decoders.ByteLevel(), byte_level=True, special=["<|end|>"])
    yield "llama2", bpe(
        texts, normalizer=spaces, decoder=decoders.Sequence(spm + [decoders.Strip(" ", 1, 0)]), size=900,
        special=["<unk>", "<s>", "</s>", *bytes_], post=template(["<s>"]), unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    yield "mistral", bpe(
        texts, pre=pre_tokenizers.Metaspace("▁", "first", False), size=900,
        decoder=decoders.Sequence(spm + [decoders.Strip(" ", 1, 0)]), special=["<unk>", "<s>", "</s>", *bytes_],
        post=template(["<s>"]), unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    yield "gemma", bpe(
        texts, normalizer=normalizers.Replace(" ", "▁"), pre=pre_tokenizers.Split(" ", "merged_with_previous"), size=900,
        decoder=decoders.Sequence(spm), special=["<pad>", "<eos>", "<bos>", "<unk>", *bytes_], post=template(["<bos>"]),
        unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    yield "unknown", bpe(
        texts, pre=pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous")]),
        special=["<unk>"], unk_token="<unk>", fuse_unk=False, decoder=decoders.Fuse())
    tokenizer, table = unigram(texts, False)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(table), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always", True)
    tokenizer.decoder = decoders.Metaspace("▁", "always", True)
    tokenizer.post_processor = template([], ["</s>"])(tokenizer)
    yield "unigram", tokenizer
    tokenizer, table = unigram(texts, True)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", False)
    tokenizer.decoder = decoders.Sequence(spm + [decoders.Strip(" ", 1, 0)])
    yield "unigram-bytes", tokenizer
    tokenizer = bpe(
        texts, normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        pre=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(False), byte_level(True, True)]),
        decoder=decoders.ByteLevel(), byte_level=True, special=["<|end|>"])
    tokenizer.add_tokens([AddedToken("WORD", single_word=True, normalized=True), AddedToken("漢字", normalized=False)])
    tokenizer.add_special_tokens([AddedToken("<mark>", lstrip=True, rstrip=True, normalized=False)])
    yield "added", tokenizer


out.mkdir(parents=True, exist_ok=True)
for name, tokenizer in families(corpus()):
    (out / f"{name}.tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")))
    cases = []
    for text in nasty + random_texts(150):
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append({"text": text, "ids": plain, "around": len(tokenizer.encode(text).ids) - len(plain),
                      "decoded": tokenizer.decode(plain, skip_special_tokens=False),
                      "shown": tokenizer.decode(plain, skip_special_tokens=True)})
    (out / f"{name}.cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")))
    print(name, tokenizer.get_vocab_size())
