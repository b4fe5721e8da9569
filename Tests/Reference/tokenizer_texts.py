"""Texts that tokenizers get wrong."""
import random

nasty = [
    "", " ", "   ", "a", " a", "Hello, world!", "ソクラテスは言った。「君はどう思うかね？」", "勇気とは何か  二つの空白",
    "ﾊﾝｶｸ ｶﾅ １２３ ４５６", "がぎぐ", "👍🏽 👨‍👩‍👧‍👦 🇯🇵🇫🇷", "e\u0301 a\u0300\u0301", "tab\tnew\nline\r\nend\r",
    "\n\n\n", "\u0000\u0001\u0007", "1234567890 3.14", "don't we'll I'VE 'sup", "שלום עולם", "สวัสดีครับ", "नमस्ते दुनिया",
    "<bos>x<eos>", "<start_of_turn>user\nhi<end_of_turn>\n", "<|im_start|>user\nhi<|im_end|>\n", "<|im_start", "a" * 300,
    "あ" * 300, " " * 300, "\ufeffBOM", "\u200b\u200d", "x\u00a0y\u3000z", "def f(x):\n    return x**2  # 二乗\n", "▁▁a", "½ Ⅷ ²",
    "<table><td>", "  leading and trailing  ", "𠮷野家 𝒳",
    "\n" * 40, "a\n\n b", "x  y   z    .", "\t\t\t", " \n \n", " " * 7, " " * 33, " " * 301,
]

alphabet = (
    list("abcXYZ019 .,!?'\"-_()[]{}<>|/\\@#$%^&*~`+=:;") + [" ", "  ", "\n", "\r\n", "\t", "\u3000", "\u00a0", "\u0085"]
    + list("あいうえおがぎぱアイウヴー、。「」漢字勇気徳善魂知恵対話") + list("éèüßñçøœſKÅ") + ["e\u0301", "か\u3099", "\u0300"]
    + list("שלםعربहिнприветกขค한국어") + ["👍", "🏽", "👩‍💻", "🇯🇵", "𝒳", "𠮷", "\u200d", "\ufe0f", "½", "Ⅷ", "²", "٣", "１"]
    + ["'s", "'LL", "n't", " the", "ing", "▁", "<s>", "</s>", "<unk>", "<mark>", " <mark> ", "word", "<|end|>", "\u0000", "\u007f"])


def random_texts(count, seed=7):
    generator = random.Random(seed)
    return ["".join(generator.choice(alphabet) for _ in range(generator.randrange(1, 40))) for _ in range(count)]
