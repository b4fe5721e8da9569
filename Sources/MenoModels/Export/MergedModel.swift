internal import MenoTensor

/// A model with its adapter merged into it, read a few rows at a time: W + ΔW in float32.
package struct MergedModel {
    package let model: StoredModel
    package let adapter: StoredAdapter?

    package init(_ model: StoredModel, _ adapter: StoredAdapter?) {
        self.model = model
        self.adapter = adapter
    }

    package func isChanged(_ parameter: StoredModel.Parameter) -> Bool { adapter?.changes(parameter) ?? false }

    /// Goes through a weight in parts, so that no more than one is in memory.
    /// - Parameters:
    ///   - together: rows that must not be parted.
    ///   - body: is given rows in float32, in transformers' form.
    package func forEachPart(
        of parameter: StoredModel.Parameter, together: Int, _ body: (_ values: inout [Float]) throws -> Void
    ) throws {
        let change = try adapter?.change(of: parameter)
        let replacement = try adapter?.replacement(of: parameter)
        for rows in parameter.chunks(of: together) {
            var values =
                try replacement?.narrowed(0, start: rows.lowerBound, count: rows.count).contiguous().array()
                ?? model.read(parameter, rows: rows)
            if let change { values = try change.merged(rows, of: values) }
            try body(&values)
        }
    }
}

extension StoredModel.Parameter {
    /// Elements of a part: 32 MiB in float32.
    private static let partElements = 1 << 23

    /// Ranges of rows that are read at once, each of a multiple of `together`.
    func chunks(of together: Int) -> [Range<Int>] {
        let step = max(together, Self.partElements / max(1, columns) / together * together)
        return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
    }
}
