import Foundation
import Testing

@testable import MenoHub

@Suite struct HubReferenceTests {
    @Test func theFormsOfAReference() throws {
        #expect(HubReference("Qwen/Qwen3-0.6B") == HubReference(id: "Qwen/Qwen3-0.6B"))
        #expect(HubReference("a/b@refs/pr/1") == HubReference(id: "a/b", revision: "refs/pr/1"))
        #expect(HubReference("a/b:Q4_K_M") == HubReference(id: "a/b", selector: "Q4_K_M"))
        #expect(
            HubReference("a/b@v1.0:dir/m.gguf") == HubReference(id: "a/b", revision: "v1.0", selector: "dir/m.gguf"))
        for text in ["Qwen/Qwen3-0.6B", "a/b@refs/pr/1", "a/b:Q4_K_M", "a/b@v1.0:dir/m.gguf"] {
            #expect(HubReference(text)?.description == text)
        }
    }

    @Test(arguments: [
        "", "gpt2", "a/b/c", "/a/b", "a/b/", "./a", "../a", "a/..", "~/a", "a b/c", "a/b@", "a/b:", "a/b@:x", "-a/b",
        "a/b.",
        "a--b/c", "a/b@../x", "a/b@.x", "a/b@x/", "a/b:../../etc", "a/b:/etc/x.gguf", "ä/b", "a/b\n", "runs/é",
        "a/b@x y",
        "a/b:x\\y.gguf",
    ]) func whatIsNone(_ text: String) { #expect(HubReference(text) == nil) }

    @Test func aCommitIsPinned() throws {
        let commit = String(repeating: "0a", count: 20)
        #expect(HubReference("a/b@\(commit)")?.isPinned == true)
        #expect(HubReference("a/b@0a0a")?.isPinned == false)
        #expect(HubReference("a/b:Q8_0")?.pinned(to: commit).description == "a/b@\(commit):Q8_0")
    }

    // MARK: Which .gguf file

    private func choice(_ text: String, _ names: [String]) throws -> String {
        try GGUFChoice(reference: try #require(HubReference(text)), names: names).files()[0]
    }

    @Test func aQuantizationNamesAFile() throws {
        let names = [
            "README.md", "Tiny-Q4_K_M.gguf", "Tiny-IQ4_K_M.gguf", "Tiny-Q4_K_S.gguf", "tiny.q8_0.gguf",
            "mmproj-Tiny-F16.gguf",
            "F16/Tiny.gguf", "Tiny-UD-Q2_K_XL.gguf",
        ]
        #expect(try choice("a/b:Q4_K_M", names) == "Tiny-Q4_K_M.gguf")
        #expect(try choice("a/b:q4_k_m", names) == "Tiny-Q4_K_M.gguf")
        #expect(try choice("a/b:Q8_0", names) == "tiny.q8_0.gguf")
        #expect(try choice("a/b:F16", names) == "F16/Tiny.gguf")
        #expect(try choice("a/b:UD-Q2_K_XL", names) == "Tiny-UD-Q2_K_XL.gguf")
        #expect(try choice("a/b:Tiny-Q4_K_S.gguf", names) == "Tiny-Q4_K_S.gguf")
        #expect(try choice("a/b", ["only.gguf", "mmproj.gguf"]) == "only.gguf")
    }

    @Test func whatNamesNoFileIsToldWithThoseThatThereAre() throws {
        let names = ["m-Q4_K_M.gguf", "m-Q8_0.gguf", "big-Q6_K-00001-of-00002.gguf", "big-Q6_K-00002-of-00002.gguf"]
        for text in ["a/b", "a/b:Q5_K_M", "a/b:other.gguf"] {
            let error = #expect(throws: HubError.self) { try choice(text, names) }
            #expect(error?.description.contains("m-Q8_0.gguf") == true, "\(text): \(String(describing: error))")
        }
    }

    @Test func aModelInPartsIsAllOfThem() throws {
        let parts = [
            "Q6_K/m-Q6_K-00001-of-00003.gguf", "Q6_K/m-Q6_K-00002-of-00003.gguf", "Q6_K/m-Q6_K-00003-of-00003.gguf",
        ]
        let names = ["m-Q4_K_M.gguf", parts[2], parts[0], parts[1]]
        for text in ["a/b:Q6_K", "a/b:\(parts[1])"] {
            #expect(try GGUFChoice(reference: try #require(HubReference(text)), names: names).files() == parts)
        }
        #expect(try GGUFChoice(reference: try #require(HubReference("a/b")), names: parts).files() == parts)
        let error = #expect(throws: HubError.self) { try choice("a/b:Q6_K", Array(names.dropLast())) }
        #expect(error?.description.contains("has 2 of the 3 parts") == true)
    }
}
