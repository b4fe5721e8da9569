/// Rows on their way between processes.
extension Evaluation.Row {
    /// Its values, and whether there are those of preferences.
    var numbers: [Double] {
        [
            Double(tokens), negativeLogLikelihood, Double(correct), Double(completionTokens),
            completionNegativeLogLikelihood,
        ] + Self.numbers(preference?.chosen) + Self.numbers(preference?.rejected)
            + (preference?.mismatched.map { [1, $0] } ?? [0, 0])
    }

    static let numberCount = 5 + 4 + 4 + 2

    private static func numbers(_ side: ScoredPair.Side?) -> [Double] {
        side.map { [1, $0.logProbability, $0.reference, Double($0.tokens)] } ?? [0, 0, 0, 0]
    }

    /// Reads ``numbers``.
    init(numbers: [Double]) {
        self.init()
        tokens = Int(numbers[0])
        negativeLogLikelihood = numbers[1]
        correct = Int(numbers[2])
        completionTokens = Int(numbers[3])
        completionNegativeLogLikelihood = numbers[4]
        let sides = [5, 9].map { start in
            numbers[start] == 1
                ? ScoredPair.Side(
                    logProbability: numbers[start + 1], reference: numbers[start + 2], tokens: Int(numbers[start + 3]))
                : nil
        }
        let mismatched = numbers[13] == 1 ? numbers[14] : nil
        guard sides[0] != nil || sides[1] != nil || mismatched != nil else { return }
        preference = PreferenceRow(chosen: sides[0], rejected: sides[1], mismatched: mismatched)
    }
}
