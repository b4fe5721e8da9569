internal import MenoErrors

/// A way in which byte-level tokenizers cut texts, by the names that GGUF files give it (`tokenizer.ggml.pre`).
///
/// A name stands for a family's `tokenizer.json`, and texts are cut as that file cuts them. llama.cpp's own expressions are the
/// same but for a few characters (`Tests/Reference/compare_tokenizers.py` lists them).
struct KnownPreTokenizer: Sendable {
    /// A step of a `tokenizer.json`.
    enum Step: Sendable, Equatable {
        case split(String)
        case digits(areIsolated: Bool)
        /// Runs of punctuation stand alone.
        case punctuation
        case byteLevel(usesPattern: Bool)
    }

    var names: [String]
    var steps: [Step]
    var isNFC = false
    /// Whether a piece that is a token is that token, whatever the merges say.
    var ignoresMerges = false
    /// Whether a text begins with BOS where the file does not say.
    var addsBOS = false

    private init(_ names: [String], _ steps: [Step]) { (self.names, self.steps) = (names, steps) }

    /// - Throws: ``TokenizerError`` with the nearest name.
    static func named(_ name: String, path: String) throws -> KnownPreTokenizer {
        if let known = all.first(where: { $0.names.contains(name) }) { return known }
        let names = all.flatMap(\.names).sorted()
        let nearest = nearestName(to: name, among: names).map { "The nearest supported one is \($0). " } ?? ""
        throw TokenizerError(
            .unsupported, at: path, "the pre-tokenizer \"\(name)\" (tokenizer.ggml.pre) is not supported.",
            advice: "\(nearest)Supported: \(names.joined(separator: ", ")).")
    }

    func preTokenizer() throws -> PreTokenizer {
        .sequence(
            try steps.map { step in
                switch step {
                case .split(let pattern): .split(.pattern(try Pattern(pattern)), .isolated, isInverted: false)
                case .digits(let areIsolated):
                    .scalars(
                        ScalarSet([.categories(ScalarCategory.numbers)]), areIsolated ? .isolated : .contiguous)
                case .punctuation: .scalars(ScalarSet([.punctuation]), .contiguous)
                case .byteLevel(let usesPattern):
                    .byteLevel(addsPrefixSpace: false, usesPattern ? try Pattern(PreTokenizer.gpt2) : nil)
                }
            })
    }

    /// The steps as `tokenizer.json` has them.
    var json: String {
        var steps = steps
        if !steps.contains(where: \.isByteLevel) { steps.append(.byteLevel(usesPattern: false)) }
        let texts = steps.map(\.json)
        return texts.count == 1 ? texts[0] : #"{"type":"Sequence","pretokenizers":[\#(texts.joined(separator: ","))]}"#
    }

    // MARK: The list

    static let all: [KnownPreTokenizer] = [
        pattern(["gpt-2", "phi-2", "jais", "exaone4", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum"]),
        pattern(["mpt", "olmo"]).nfc,
        pattern(
            ["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"],
            .digits(areIsolated: true)),
        pattern(["command-r"], .digits(areIsolated: true)).nfc,
        pattern(["chameleon"], chameleon.map(Step.split)).bos,
        // llama.cpp's own, where a file says so.
        pattern(["default"], .split(#"[\p{P}\$\+<=>\^~\|]+"#)).then(.split(#"\p{N}+"#), .split("[0-9][0-9][0-9]")),
        pattern(["falcon"], .punctuation).then(.digits(areIsolated: false), .split("[0-9][0-9][0-9]")),
        split(
            ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
            PreTokenizer.llama3
        ).ignoringMerges.bos,
        split(["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], PreTokenizer.llama3),
        split(["jais-2"], jais2),
        split(["qwen2", "deepseek-r1-qwen", "kormo", "megrez"], PreTokenizer.qwen2).nfc,
        split(["stablelm2", "hunyuan", "solar-open", "grok-2"], PreTokenizer.qwen2),
        split(["qwen35"], PreTokenizer.qwen35).nfc,
        split(["ufakzeka"], withoutContractions),
        split(["laguna"], #"[^\n]+|[\n]+"#, PreTokenizer.qwen2),
        split(["minicpm5"], #"\p{N}{1,3}"#, minicpm5).ignoringMerges,
        split(["bailingmoe", "bailingmoe2", "llada-moe"], bailing),
        split(["seed-coder"], seedCoder),
        split(["exaone-moe"], exaoneMoE),
        split(["tekken"], PreTokenizer.tekken).ignoringMerges.bos,
        split(["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], PreTokenizer.gpt4o),
        split(["tiny_aya", "cohere2moe"], #"\d{1,3}(?=(?:\d{3})*\b)"#, PreTokenizer.gpt4o),
        split(["youtu"], youtu, youtuWords).ignoringMerges,
        split(["kimi-k2"], kimi),
        split(["deepseek-llm"], "[\r\n]", casedLetters, punctuation, #"\s+$"#, chinese).then(
            .digits(areIsolated: true)),
        split(["deepseek-coder"], "[\r\n]", #"\s?\p{L}+"#, #"\s?\p{P}+"#, chinese).then(.digits(areIsolated: true)),
        split(["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], #"\p{N}{1,3}"#, kana, deepseek3),
        split(["spark2_5"], #"\p{N}{1,3}"#, kana, spark, #"\p{N}"#),
        split(["superbpe"], #"\p{N}+"#, #"(?=(\d{3})+(?!\d))"#),
        split(["poro-chat", "bloom", "gpt3-finnish"], bloom),
        split(["viking"], bloom, #"\p{N}"#),
    ]

    /// Steps before GPT-2's own pattern.
    private static func pattern(_ names: [String], _ before: [Step]) -> KnownPreTokenizer {
        KnownPreTokenizer(names, before + [.byteLevel(usesPattern: true)])
    }

    private static func pattern(_ names: [String], _ before: Step...) -> KnownPreTokenizer { pattern(names, before) }

    private static func split(_ names: [String], _ patterns: String...) -> KnownPreTokenizer {
        KnownPreTokenizer(names, patterns.map(Step.split))
    }

    private func then(_ more: Step...) -> KnownPreTokenizer { with { $0.steps += more } }
    private var nfc: KnownPreTokenizer { with { $0.isNFC = true } }
    private var ignoringMerges: KnownPreTokenizer { with { $0.ignoresMerges = true } }
    private var bos: KnownPreTokenizer { with { $0.addsBOS = true } }

    private func with(_ change: (inout KnownPreTokenizer) -> Void) -> KnownPreTokenizer {
        var copy = self
        change(&copy)
        return copy
    }
}

extension KnownPreTokenizer.Step {
    fileprivate var isByteLevel: Bool { if case .byteLevel = self { true } else { false } }

    fileprivate var json: String {
        switch self {
        case .split(let pattern):
            #"{"type":"Split","pattern":{"Regex":\#(JSONText.string(pattern))},"behavior":"Isolated","invert":false}"#
        case .digits(let areIsolated): #"{"type":"Digits","individual_digits":\#(areIsolated)}"#
        case .punctuation: #"{"type":"Punctuation","behavior":"Contiguous"}"#
        case .byteLevel(let usesPattern):
            #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":\#(usesPattern)}"#
        }
    }
}
