import Foundation
import Meno
import MenoTensor
import MenoTesting
import Testing

struct ProductChoiceTests {
    @Test func theIncumbentStaysUnlessAnotherIsATenthFaster() {
        let measured: [(kind: ProductKind, seconds: Double)] = [(.dotProducts, 1.05), (.widened, 1), (.library, 3)]
        #expect(ProductKind.choice(measured) == .dotProducts)
        #expect(ProductKind.choice(measured, incumbent: .widened) == .widened)
        #expect(ProductKind.choice(measured, incumbent: .library) == .widened)
        // One that this processor does not have any more.
        #expect(ProductKind.choice(measured, incumbent: .matrixUnit) == .dotProducts)
        #expect(ProductKind.choice([(.dotProducts, 1.2), (.widened, 1)]) == .widened)
        #expect(ProductKind.choice([]) == nil)
    }

    /// Of the kind in use alone: while another is measured, tests beside this one would compute by it.
    @Test func whatIsMeasuredIsKept() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "cache/products.json")
        let first = try ProductChoice(file, candidates: [.current]).measured()
        #expect(first.kind == .current && first.speeds.map(\.kind) == [.current])
        #expect(first.speeds.allSatisfy { $0.speed > 0 && $0.speed.isFinite })
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("\"kind\" : \"\(first.kind.rawValue)\""))
        // A damaged file is measured over, and where nothing can be kept, it is measured all the same.
        try Data("{".utf8).write(to: file)
        for file in [file, URL(filePath: "/proc/no/products.json")] {
            #expect(try ProductChoice(file, candidates: [.current]).measured().kind == .current)
        }
    }
}
