import Foundation
import MenoData
import MenoTokenizers
import Testing

@Suite struct LabelEntropyTests {
    private func example(_ labels: [TokenID]) -> Example {
        Example(
            ids: labels.map { max($0, 0) }, labels: labels, isCompletion: labels.map { _ in true }, place: "line 1")
    }

    @Test func itIsThatOfTheLabelsThatArePredicted() throws {
        // The first label of each example is predicted nowhere, and ignored ones carry no loss: 1 1 2 3 are left.
        let examples = [example([9, 1, Example.ignoredLabel, 1]), example([2, 2, 3])]
        let expected = -(0.5 * log(0.5) + 2 * 0.25 * log(0.25))
        #expect(abs(try #require(try examples.entropy) - expected) < 1e-12)
        #expect(try Array(examples.reversed()).entropy == examples.entropy)
    }

    @Test func ofEqualSharesItIsTheLogarithmOfTheirNumber() throws {
        let all = example([0] + (0..<1000).map { TokenID($0) })
        #expect(abs(try #require(try [all].entropy) - log(1000)) < 1e-12)
        #expect(try [example([5, 7, 7, 7])].entropy == 0)
    }

    @Test func ofNoLabelThereIsNone() throws {
        #expect(try [Example]().entropy == nil)
        #expect(try [example([5, Example.ignoredLabel])].entropy == nil)
    }
}

extension [Example] {
    fileprivate var entropy: Double? { get throws { try labelEntropy(at: indices) } }
}
