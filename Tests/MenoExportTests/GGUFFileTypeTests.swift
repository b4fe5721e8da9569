import Foundation
import MenoFormats
import MenoTesting
import MenoModels
import Testing

@testable import MenoExport

@Suite struct GGUFFileTypeTests {
    private func types(_ kind: GGUFFileType, _ name: String, columns: Int = 1024, isHead: Bool = false)
        -> [GGUFTensorType]
    {
        (0..<18).map {
            kind.choice(of: "blk.\($0).\(name)", shape: [64, columns], layerCount: 18, isHead: isHead).type
        }
    }

    /// The types of Gemma 3 270M's Q4_K_M file, which llama.cpp's own quantiser made (640 columns are no whole block of 256).
    @Test func theMixtureIsLlamaCpps() throws {
        guard let url = Fixtures.model("gemma-3-270m-q4_k_m.gguf") else { return }
        let file = try GGUFFile(contentsOf: url)
        for tensor in file.tensors where tensor.shape.count > 1 {
            let choice = GGUFFileType.Q4_K_M.choice(
                of: tensor.name, shape: tensor.shape, layerCount: 18, isHead: tensor.name == "token_embd.weight")
            #expect(choice.type == tensor.type, "\(tensor.name)")
        }
    }

    @Test func layersThatMatterHaveMoreBits() {
        let more = [0, 1, 4, 7, 10, 13, 15, 16, 17]
        for name in ["attn_v.weight", "ffn_down.weight"] {
            for (kind, plain) in [(GGUFFileType.Q4_K_M, GGUFTensorType.Q4_K), (.Q5_K_M, .Q5_K)] {
                #expect(types(kind, name) == (0..<18).map { more.contains($0) ? .Q6_K : plain })
            }
        }
        #expect(Set(types(.Q4_K_M, "attn_k.weight")) == [.Q4_K])
        #expect(Set(types(.Q4_0, "ffn_down.weight")) == [.Q4_0])
        #expect(types(.Q4_K_M, "x.weight", isHead: true)[0] == .Q6_K)
        #expect(types(.Q8_0, "x.weight", isHead: true)[0] == .Q8_0)
    }

    /// What chooses experts, biases and embeddings of positions keep all their digits. Beside eight experts, attention is small.
    @Test func mixturesOfExperts() {
        let type = { (kind: GGUFFileType, name: String, count: Int) in
            kind.choice(of: name, shape: [8, 1024], layerCount: 18, isHead: false, expertCount: count).type
        }
        let exact = ["blk.0.ffn_gate_inp.weight", "blk.0.ffn_gate_exps.bias", "position_embd.weight"]
        for kind in GGUFFileType.allCases {
            for name in exact { #expect(type(kind, name, 8) == .F32, "\(name)") }
        }
        #expect(type(.Q4_K_M, "blk.2.ffn_gate_exps.weight", 8) == .Q4_K)
        #expect(type(.Q4_K_M, "blk.2.attn_v.weight", 8) == .Q8_0 && type(.Q4_0, "blk.2.attn_k.weight", 8) == .Q8_0)
        #expect(type(.Q4_K_M, "blk.2.attn_output.weight", 8) == .Q5_K)
        #expect(type(.Q4_K_M, "blk.2.attn_k.weight", 60) == .Q4_K)
        #expect(type(.F16, "blk.2.attn_v.weight", 8) == .F16)
    }

    @Test func shapesThatForbidATypeGetAnother() {
        let wanted: [(GGUFFileType, GGUFTensorType)] = [
            (.Q4_K_M, .Q5_0), (.Q5_K_M, .Q5_1), (.Q6_K, .Q8_0), (.Q4_0, .Q4_0),
        ]
        for (kind, type) in wanted { #expect(types(kind, "attn_k.weight", columns: 576)[0] == type) }
        for kind in [GGUFFileType.Q4_K_M, .Q5_K_M, .Q6_K, .Q8_0, .Q4_0] {
            #expect(types(kind, "attn_k.weight", columns: 16)[0] == .F16)
        }
        #expect(
            GGUFFileType.Q4_0.choice(of: "output_norm.weight", shape: [64], layerCount: 1, isHead: false).type == .F32)
    }

    @Test func formsAreNamed() throws {
        #expect(try ExportForm("gguf:q8_0") == ExportForm(.gguf, .Q8_0))
        #expect(try ExportForm("safetensors").description == "safetensors")
        for text in ["gguf:Q3_K", "safetensors:Q8_0", "onnx", ""] {
            #expect(throws: ExportError.self) { try ExportForm(text) }
        }
    }
}
