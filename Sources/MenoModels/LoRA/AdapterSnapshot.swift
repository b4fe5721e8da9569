internal import MenoTensor

/// The adapters of a model at one moment, so that it can compute with them later.
package struct AdapterSnapshot {
    /// One entry for each linear layer.
    fileprivate let adapters: [LoRAAdapter?]
}

extension Decoder {
    /// A snapshot without adapters, which takes no memory.
    package var withoutAdapters: AdapterSnapshot { AdapterSnapshot(adapters: linears.map { _ in nil }) }

    /// A snapshot with frozen copies of the adapters.
    package func adapterSnapshot() throws -> AdapterSnapshot {
        AdapterSnapshot(adapters: try linears.map { try $0.linear.adapter?.frozenCopy() })
    }

    /// Whether only adapters are trained, so that a snapshot of them captures the model.
    package var trainsAdaptersAlone: Bool {
        trainedParameters.count == linears.reduce(0) { $0 + ($1.linear.adapter?.parameters.count ?? 0) }
    }

    /// Computes with the adapters of a snapshot.
    /// - Parameter body: must not record anything for a later backward pass, which would compute with the present adapters.
    package func computing<Result>(with snapshot: AdapterSnapshot, _ body: () throws -> Result) rethrows -> Result {
        let linears = linears.map(\.linear)
        precondition(snapshot.adapters.count == linears.count, "a snapshot is of the same model")
        let present = linears.map(\.adapter)
        defer { for (linear, adapter) in zip(linears, present) { linear.adapter = adapter } }
        for (linear, adapter) in zip(linears, snapshot.adapters) { linear.adapter = adapter }
        return try body()
    }

    /// Switches dropout off, whatever the adapters' settings say.
    package func disableDropout() {
        for (_, linear) in linears { linear.adapter?.dropout = 0 }
    }
}

extension LoRAAdapter {
    fileprivate func frozenCopy() throws -> LoRAAdapter {
        let copy = { (parameter: Parameter) in
            Parameter(parameter.name, try withoutGradient { try (parameter.tensor.detached() * 1).detached() })
        }
        return LoRAAdapter(
            down: try copy(down), up: try copy(up), magnitude: try magnitude.map(copy), scaling: scaling, dropout: 0)
    }
}
