internal import MenoTensor

extension Experts {
    /// Attaches what an adapter's file has for this mixture of experts.
    /// - Returns: how many adapters.
    func attach(from tensors: SavedTensors, _ settings: LoRASettings) throws -> Int {
        var attached = 0
        if let adapter = try adapter(
            router.name, of: router.name + ".weight", [1, router.linear.outFeatures, router.linear.inFeatures], tensors,
            settings)
        {
            router.linear.adapter = adapter
            attached += 1
        }
        // Where both are there, that of the gates and ups is the inner one.
        let inner = gateUpModule(besideDown: true)
        let hasBoth = tensors.has("\(inner).lora_A.weight") || tensors.has("\(inner).lora_B.weight")
        let isGateUp = !hasBoth && isOfGateUp(tensors, settings)
        gateUpAdapter = try adapter(hasBoth ? inner : name, of: gateUpName, gateUpShape, tensors, settings) {
            hasBoth || isGateUp
        }
        downAdapter = try adapter(name, of: downName, downShape, tensors, settings) { !isGateUp }
        return attached + [gateUpAdapter, downAdapter].compactMap { $0 }.count
    }

    /// Whether the one adapter of the experts is that of their gates and ups.
    private func isOfGateUp(_ tensors: SavedTensors, _ settings: LoRASettings) -> Bool {
        let isNamed = { (name: String, kind: ParameterTarget.Kind) in
            settings.targetParameters.contains { ParameterTarget(name: name, kind: kind).isMeant(by: $0) }
        }
        let (gateUp, down) = (isNamed(gateUpName, .gateUp(self)), isNamed(downName, .down(self)))
        return gateUp != down ? gateUp : tensors.shape("\(name).lora_B.weight")?.first == gateUpShape[1]
    }

    /// - Parameters:
    ///   - module: PEFT's name of what holds the adapter.
    ///   - parameter: transformers' name of what is adapted.
    ///   - shape: of the stack, `[experts, out, in]`.
    private func adapter(
        _ module: String, of parameter: String, _ shape: [Int], _ tensors: SavedTensors, _ settings: LoRASettings,
        where isMeant: () -> Bool = { true }
    ) throws -> LoRAAdapter? {
        let (down, up) = ("\(module).lora_A.weight", "\(module).lora_B.weight")
        guard isMeant(), tensors.has(down) || tensors.has(up) else { return nil }
        let rank = try settings.rank(of: parameter)
        return LoRAAdapter(
            down: try tensors.take(down, [shape[0] * rank, shape[2]]),
            up: try tensors.take(up, [shape[1], shape[0] * rank]),
            scaling: try settings.scaling(of: parameter), dropout: 0)
    }
}
