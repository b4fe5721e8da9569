internal import MenoTensor

/// Where the adapters of a mixture of experts are in a file, by PEFT's names.
struct ExpertAdapterNames {
    /// The modules that hold the adapter of all gates and ups, and that of all downs.
    var gateUp, down: String?

    /// - Parameters:
    ///   - module: transformers' name of the module that holds the experts.
    ///   - gateUpRows: the number of rows of gates and ups together, which identifies a single adapter without a parameter's
    ///     name.
    init(of module: String, in tensors: SavedTensors, _ settings: LoRASettings, gateUpRows: Int) {
        let has = { (holder: String) in
            tensors.has("\(holder).lora_A.weight") || tensors.has("\(holder).lora_B.weight")
        }
        let inner = module + ".base_layer"
        guard has(module) else { return }
        // If both exist, that of the gates and ups is the inner one.
        if has(inner) {
            (gateUp, down) = (inner, module)
            return
        }
        let isNamed = { (name: String) in
            settings.targetParameters.contains { ParameterTarget.isMeant(name, by: $0) }
        }
        let named = (gateUp: isNamed(module + ".gate_up_proj"), down: isNamed(module + ".down_proj"))
        let isGateUp =
            named.gateUp != named.down
            ? named.gateUp : tensors.shape("\(module).lora_B.weight")?.first == gateUpRows
        if isGateUp { gateUp = module } else { down = module }
    }
}

extension Experts {
    /// Attaches the adapters that a file has for this mixture of experts.
    /// - Returns: the number of adapters.
    func attach(from tensors: SavedTensors, _ settings: LoRASettings) throws -> Int {
        var attached = 0
        // The second name is the one before transformers 5.
        let routers = [router.name, router.linear.weight.module]
        if let name = routers.first(where: { tensors.has("\($0).lora_A.weight") }) {
            let shape = [1, router.linear.outFeatures, router.linear.inFeatures]
            router.linear.adapter = try adapter(
                name, called: router.name, of: router.name + ".weight", shape, tensors, settings)
            attached += 1
        }
        let names = ExpertAdapterNames(of: name, in: tensors, settings, gateUpRows: gateUpShape[1])
        gateUpAdapter =
            try names.gateUp.map { try adapter($0, of: gateUpName, gateUpShape, tensors, settings) }
            ?? former([layers.gates, layers.ups], called: gateUpModule(besideDown: true), tensors, settings)
        downAdapter =
            try names.down.map { try adapter($0, of: downName, downShape, tensors, settings) }
            ?? former([layers.downs], called: name, tensors, settings)
        return attached + [gateUpAdapter, downAdapter].compactMap { $0 }.count
    }

    /// - Parameters:
    ///   - module: PEFT's name of the module that holds the adapter.
    ///   - called: the name that it gets, if different.
    ///   - parameter: transformers' name of the adapted parameter.
    ///   - shape: of the stack, `[experts, out, in]`.
    private func adapter(
        _ module: String, called name: String? = nil, of parameter: String, _ shape: [Int], _ tensors: SavedTensors,
        _ settings: LoRASettings
    ) throws -> LoRAAdapter {
        let rank = try settings.rank(of: parameter)
        let take = { (matrix: String, shape: [Int]) in
            Parameter(
                "\(name ?? module).\(matrix).weight", try tensors.take("\(module).\(matrix).weight", shape).tensor)
        }
        return LoRAAdapter(
            down: try take("lora_A", [shape[0] * rank, shape[2]]), up: try take("lora_B", [shape[1], shape[0] * rank]),
            scaling: try settings.scaling(of: parameter), dropout: 0)
    }

    /// Converts an adapter with tensors for each expert, as PEFT wrote them before transformers 5, into one of all experts. Where
    /// several layers of an expert are in one stack, its A matrices are stacked vertically and its B matrices along the diagonal.
    private func former(
        _ stacks: [[Linear]], called module: String, _ tensors: SavedTensors, _ settings: LoRASettings
    ) throws -> LoRAAdapter? {
        let first = stacks[0][0].weight.module
        guard tensors.has("\(first).lora_A.weight") else { return nil }
        let rank = try settings.rank(of: first)
        var (downs, ups) = ([Tensor](), [Tensor]())
        for expert in stacks[0].indices {
            var blocks: [Tensor] = []
            for (place, stack) in stacks.enumerated() {
                let (layer, name) = (stack[expert], stack[expert].weight.module)
                downs.append(try tensors.take("\(name).lora_A.weight", [rank, layer.inFeatures]).tensor.detached())
                let up = try tensors.take("\(name).lora_B.weight", [layer.outFeatures, rank]).tensor.detached()
                let beside = { (count: Int) in
                    try Tensor.zeros([layer.outFeatures, rank * count], device: up.device)
                }
                blocks.append(
                    try .concatenated([beside(place), up, beside(stacks.count - 1 - place)], along: 1))
            }
            ups.append(try .concatenated(blocks, along: 0).unsqueezed(2))
        }
        let up = try Tensor.concatenated(ups, along: 2)
        return LoRAAdapter(
            down: Parameter("\(module).lora_A.weight", try .concatenated(downs, along: 0).requiringGradient()),
            up: Parameter(
                "\(module).lora_B.weight",
                try up.reshaped([up.size(0), up.size(1) * up.size(2)]).requiringGradient()),
            scaling: try settings.scaling(of: first), dropout: 0)
    }
}
