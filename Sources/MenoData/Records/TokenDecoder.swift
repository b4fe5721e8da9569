internal import MenoFormats

/// Reads a record that was tokenized before: `input_ids` and, where they are given, `labels` and `attention_mask`.
struct TokenDecoder {
    typealias Rejection = RecordDecoder.Rejection

    func content(_ value: JSONValue) throws(Rejection) -> Record.Content {
        guard let ids = try integers(value, "input_ids") else {
            throw Rejection(kind: .unknownShape, reason: "has no \"input_ids\".")
        }
        let labels = try integers(value, "labels") ?? ids
        let mask = try integers(value, "attention_mask") ?? ids.map { _ in 1 }
        for (key, others) in [("labels", labels), ("attention_mask", mask)] where others.count != ids.count {
            throw Rejection(
                kind: .unknownShape,
                reason: "has \(ids.count) \"input_ids\" and \(others.count) \"\(key)\"; expected as many.")
        }
        // What is masked is padding.
        let kept = ids.indices.filter { mask[$0] != 0 }
        guard !kept.isEmpty else { throw Rejection(kind: .empty, reason: "has no \"input_ids\" but padding.") }
        for index in kept where labels[index] != ids[index] && labels[index] != -100 {
            throw Rejection(
                kind: .unknownShape,
                reason:
                    "has the label \(labels[index]) at the token \(ids[index]) (labels[\(index)]); a label is its token, or "
                    + "-100 where it is not learnt. Labels are not shifted.")
        }
        return .tokens(kept.map { ids[$0] }, labels: kept.map { labels[$0] })
    }

    private func integers(_ value: JSONValue, _ key: String) throws(Rejection) -> [Int]? {
        guard var found = value[key], !found.isNull else { return nil }
        if let text = found.string, let parsed = try? JSONReader.value(of: text) { found = parsed }
        guard let elements = found.array else {
            throw Rejection(kind: .unknownShape, reason: "has \(found.kindName) as \"\(key)\"; expected token ids.")
        }
        var numbers: [Int] = []
        numbers.reserveCapacity(elements.count)
        for element in elements {
            guard case .integer(let number) = element else {
                throw Rejection(
                    kind: .unknownShape, reason: "has \(element.kindName) among \"\(key)\" that is no whole number.")
            }
            numbers.append(number)
        }
        return numbers
    }
}
