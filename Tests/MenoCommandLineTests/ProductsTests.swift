import Foundation
import MenoTensor
import MenoTesting
import Testing

/// What products are computed by is chosen once, and belongs to a run.
@Suite struct ProductsTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    private func products(step: Int) throws -> String? {
        let file = tiny.run.appending(path: "model/checkpoint-\(step)/run_state.json")
        let state = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        return state?["products"] as? String
    }

    @Test(.enabled(if: ProductKind.candidates.count > 1, "this processor has one kind of products"))
    func aRunKeepsTheProductsThatItBeganWith() throws {
        let keys = "max_steps: 4, save_steps: 2, bf16: true"
        let slow = try #require(ProductKind.candidates.last).rawValue
        // A cache of its own says what the machine would choose.
        let environment = ["MENO_CACHE": tiny.folder.url.appending(path: "cache").path]
        try tiny.write(keys)
        func train(_ arguments: [String], forced: String? = nil) throws -> (
            status: Int32, output: String, errors: String
        ) {
            try meno(
                ["train", tiny.file.path] + arguments, threads: 1,
                environment: environment.merging(forced.map { ["MENO_PRODUCTS": $0] } ?? [:]) { $1 })
        }
        #expect(try train(["--max-steps", "2", "--allow-changes"], forced: slow).status == 0)
        #expect(try products(step: 2) == slow)
        let resumed = try train(["--resume", "auto", "--allow-changes"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try products(step: 4) == slow)
        let text = try String(
            contentsOf: tiny.folder.url.appending(path: "cache/products.json"), encoding: .utf8)
        let isItsChoice = text.contains("\"kind\" : \"\(slow)\"")
        #expect(resumed.errors.contains("keeps its \(slow) products") == !isItsChoice, "\(resumed.errors)")
        let unknown = try train(["--overwrite"], forced: "abacus")
        #expect(unknown.status == 65 && unknown.errors.contains("MENO_PRODUCTS: is abacus"), "\(unknown.errors)")
    }
}
