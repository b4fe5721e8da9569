package import MenoFormats

/// The kinds of GGUF files that llama.cpp's quantiser makes: each is a mixture of tensor types.
package enum GGUFFileType: String, Sendable, CaseIterable {
    case F32, F16, BF16, Q8_0, Q4_0, Q4_K_M, Q5_K_M, Q6_K

    /// `general.file_type`.
    var number: UInt32 {
        switch self {
        case .F32: 0
        case .F16: 1
        case .Q4_0: 2
        case .Q8_0: 7
        case .Q4_K_M: 15
        case .Q5_K_M: 17
        case .Q6_K: 18
        case .BF16: 32
        }
    }

    /// The type of most matrices.
    var matrixType: GGUFTensorType {
        switch self {
        case .F32: .F32
        case .F16: .F16
        case .BF16: .BF16
        case .Q8_0: .Q8_0
        case .Q4_0: .Q4_0
        case .Q4_K_M: .Q4_K
        case .Q5_K_M: .Q5_K
        case .Q6_K: .Q6_K
        }
    }

    private var isQuantized: Bool { ![.F32, .F16, .BF16].contains(self) }
    private var isMixture: Bool { self == .Q4_K_M || self == .Q5_K_M }

    /// A tensor's type, and what the mixture would have given it where its shape forbids that.
    package struct Choice: Sendable, Hashable {
        package var type: GGUFTensorType
        package var wanted: GGUFTensorType
    }

    /// The type that llama.cpp's quantiser gives a tensor.
    /// - Parameters:
    ///   - name: in the GGUF file.
    ///   - isHead: whether it is the head, or the embedding of a model whose head that is.
    ///   - expertCount: how many a layer has.
    func choice(of name: String, shape: [Int], layerCount: Int, isHead: Bool, expertCount: Int = 0) -> Choice {
        // Vectors and norms stay as they are, and what is small and decides much.
        guard shape.count > 1, !Self.exactEndings.contains(where: name.hasSuffix) else {
            return Choice(type: .F32, wanted: .F32)
        }
        guard isQuantized else { return Choice(type: matrixType, wanted: matrixType) }
        var wanted = matrixType
        if isHead {
            if wanted != .Q8_0 { wanted = .Q6_K }
        } else if isMixture, let layer = Self.layer(of: name) {
            let hasMoreBits = Self.hasMoreBits(layer, of: layerCount)
            if name.hasSuffix(".attn_v.weight") || name.hasSuffix(".ffn_down.weight") {
                wanted = hasMoreBits ? .Q6_K : wanted
            }
            if name.hasSuffix(".attn_qkv.weight") { wanted = self == .Q4_K_M ? .Q5_K : .Q6_K }
        }
        // Attention is a small part of a model of eight experts.
        if expertCount == 8, !isHead, isQuantized {
            if name.hasSuffix(".attn_v.weight") || name.hasSuffix(".attn_k.weight") { wanted = .Q8_0 }
            if name.hasSuffix(".attn_output.weight"), self == .Q4_K_M { wanted = .Q5_K }
        }
        return Choice(type: Self.fitting(wanted, columns: shape.last ?? 1), wanted: wanted)
    }

    private static let exactEndings = [
        "_norm.weight", ".bias", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight",
    ]

    /// The layers whose errors cost most: the first and the last eighth, and every third between.
    private static func hasMoreBits(_ layer: Int, of count: Int) -> Bool {
        layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
    }

    private static func layer(of name: String) -> Int? {
        let parts = name.split(separator: ".")
        return parts.first == "blk" && parts.count > 1 ? Int(parts[1]) : nil
    }

    /// The type itself, or what takes its place where rows are no whole number of its blocks.
    private static func fitting(_ type: GGUFTensorType, columns: Int) -> GGUFTensorType {
        guard columns % type.block.elements != 0 else { return type }
        switch type {
        case .Q4_K: return fitting(.Q5_0, columns: columns)
        case .Q5_K: return fitting(.Q5_1, columns: columns)
        case .Q6_K: return fitting(.Q8_0, columns: columns)
        default: return .F16
        }
    }
}
