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

    /// Processes a weight in parts, so that only one part is in memory at a time.
    /// - Parameters:
    ///   - together: the number of rows that must stay together.
    ///   - body: gets rows in float32, in transformers' layout.
    package func forEachPart(
        of parameter: StoredModel.Parameter, together: Int, _ body: (_ values: inout [Float]) throws -> Void
    ) throws {
        try forEachPart(of: parameter, together: together) { _, _, merged in try body(&merged) }
    }

    /// - Parameter body: gets the range of rows, and their values without and with the adapter.
    private func forEachPart(
        of parameter: StoredModel.Parameter, together: Int,
        _ body: (_ rows: Range<Int>, _ base: () throws -> [Float], _ merged: inout [Float]) throws -> Void
    ) throws {
        let change = try adapter?.change(of: parameter)
        let replacement = try adapter?.replacement(of: parameter)
        for rows in parameter.chunks(of: together) {
            let base = { try model.read(parameter, rows: rows) }
            var values =
                try replacement?.narrowed(0, start: rows.lowerBound, count: rows.count).contiguous().array() ?? base()
            if let change { values = try change.merged(rows, of: values) }
            try body(rows, base, &values)
        }
    }

    /// How much of an adapter's change survives in an exported model.
    package struct ChangeShare: Sendable {
        /// ⟨W′ − W, ΔW⟩ / ⟨ΔW, ΔW⟩ over all weights that it changes.
        package var value: Double
        /// The standard deviation of ``value`` due to rounding: that of a rounding error, divided by the norm of ΔW. Rounding is
        /// almost orthogonal to ΔW, so this is small even with four bits, unless hardly anything was learned.
        package var deviation: Double
        /// The root mean square of ΔW, and that of the rounding errors, both relative to that of W.
        package var relativeChange: Double
        package var relativeNoise: Double

        package init(value: Double, deviation: Double, relativeChange: Double, relativeNoise: Double) {
            (self.value, self.deviation) = (value, deviation)
            (self.relativeChange, self.relativeNoise) = (relativeChange, relativeNoise)
        }
    }

    /// - Returns: `nil` where the adapter changes nothing.
    package func changeShare(in exported: StoredModel) throws -> ChangeShare? {
        let form = GGUFForm(model.configuration)
        var (found, whole, energy, count, weight) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for parameter in model.parameters where isChanged(parameter) {
            guard let other = exported.parameter(named: parameter.name), other.shape == parameter.shape else {
                throw ModelError(
                    .mismatch, at: exported.url.path, "has no tensor \"\(parameter.name)\" of the same shape.")
            }
            // GGUF files need these rows together, and may hold scaled queries.
            let together = form.rowsTogether(parameter.name, rows: parameter.rows)
            let scale = model.gguf == nil && exported.gguf != nil ? form.factor(of: parameter.name) ?? 1 : 1
            try forEachPart(of: parameter, together: together) { rows, base, merged in
                try withoutGradient {
                    let before = try Tensor(base())
                    let change = try Tensor(merged) - before
                    let theirs = try Tensor(exported.read(other, rows: rows)) / Double(scale) - before
                    found += try (theirs * change).sum().item()
                    whole += try (change * change).sum().item()
                    energy += try (theirs * theirs).sum().item()
                    weight += try (before * before).sum().item()
                    count += Double(merged.count)
                }
            }
        }
        guard whole > 0 else { return nil }
        let noise = max(0, energy - found * found / whole)
        return ChangeShare(
            value: found / whole, deviation: (noise / count / whole).squareRoot(),
            relativeChange: (whole / weight).squareRoot(), relativeNoise: (noise / weight).squareRoot())
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
