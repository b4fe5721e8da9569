/// The predictions of a pass without duplicates: within a shared prefix, all sequences make the same predictions.
struct DistinctPredictions {
    /// The state and the target of each, `[rows]`.
    private(set) var states: [Int64] = []
    private(set) var targets: [Int64] = []
    /// The number of predictions that each row stands for.
    private(set) var counts: [Float] = []
    /// The row of each prediction.
    private(set) var rows: [Int] = []

    private struct Key: Hashable { var state, target: Int }

    init(_ predictions: [SequenceLayout.Prediction], labels: [Int32], layout: SequenceLayout) {
        var known: [Key: Int] = [:]
        for prediction in predictions {
            let key = Key(state: prediction.state, target: Int(labels[prediction.label]))
            let isShared = prediction.state < layout.sharedPrefix
            if isShared, let row = known[key] {
                counts[row] += 1
                rows.append(row)
                continue
            }
            if isShared { known[key] = states.count }
            rows.append(states.count)
            states.append(Int64(key.state))
            targets.append(Int64(key.target))
            counts.append(1)
        }
    }
}

extension TokenLosses {
    /// The losses of all predictions, given those of the distinct ones.
    func spread(over rows: [Int]) -> TokenLosses {
        TokenLosses(sum: sum, values: rows.map { values[$0] }, isCorrect: rows.map { isCorrect[$0] })
    }
}
