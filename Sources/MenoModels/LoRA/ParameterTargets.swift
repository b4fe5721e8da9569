internal import MenoTensor

/// A weight that PEFT's `target_parameters` may name, since it is a plain parameter in transformers.
struct ParameterTarget {
    enum Kind {
        /// The weight of a linear layer, or of one that is a plain parameter in transformers 5.
        case linear(Linear)
        /// The gates of all experts followed by their ups, and their downs.
        case gateUp(Experts)
        case down(Experts)
    }

    /// transformers' full name: `model.layers.0.mlp.experts.down_proj`, `model.layers.0.mlp.gate.weight`.
    var name: String
    var kind: Kind

    /// Whether a name in `target_parameters` matches it.
    func isMeant(by target: String) -> Bool { Self.isMeant(name, by: target) }

    static func isMeant(_ name: String, by target: String) -> Bool {
        let alone = ModuleNames.alone(name)
        return alone == target || name == target || alone.hasSuffix("." + target)
    }
}

extension Decoder {
    var parameterTargets: [ParameterTarget] {
        layers.flatMap { layer in
            layer.linears.map { ParameterTarget(name: $0.name + ".weight", kind: .linear($0.linear)) }
                + (layer.experts?.targets ?? [])
        }
    }

    /// Attaches new adapters to the parameters that the settings name.
    /// - Returns: the number of adapters.
    func attachToParameters(_ settings: LoRASettings) throws -> Int {
        var attached = 0
        for layer in layers {
            let meant = { (target: ParameterTarget) in settings.targetParameters.contains { target.isMeant(by: $0) } }
            for (name, linear) in layer.linears where meant(.init(name: name + ".weight", kind: .linear(linear))) {
                guard linear.adapter == nil else { throw meantTwice(name) }
                linear.adapter = try .initialized(
                    layer: name, parameter: name + ".weight", linear: linear, settings: settings, device: device)
                attached += 1
            }
            guard let experts = layer.experts else { continue }
            let targets = experts.targets.filter(meant)
            let adaptsDown = targets.contains { $0.name == experts.downName }
            for target in targets {
                switch target.kind {
                case .linear(let linear):
                    linear.adapter = try .initialized(
                        layer: experts.router.name, parameter: target.name, linear: linear, settings: settings,
                        device: device)
                case .gateUp:
                    experts.gateUpAdapter = try .initialized(
                        parameter: target.name, module: experts.gateUpModule(besideDown: adaptsDown),
                        shape: experts.gateUpShape, settings: settings, device: device)
                case .down:
                    experts.downAdapter = try .initialized(
                        parameter: target.name, module: experts.name, shape: experts.downShape, settings: settings,
                        device: device)
                }
                attached += 1
            }
        }
        return attached
    }

    private func meantTwice(_ layer: String) -> ModelError {
        ModelError(
            .mismatch,
            "the weight of \"\(layer)\" is a target parameter, and the layer a target module.",
            advice: "Remove it from one of the two.")
    }

    /// The share of the model's weights in experts without an adapter, from 0 to 1.
    package var frozenExpertShare: Double {
        let frozen = experts.reduce(0) { sum, experts in
            let sizes = (experts.gateUpShape.reduce(1, *), experts.downShape.reduce(1, *))
            return sum + (experts.gateUpAdapter == nil ? sizes.0 : 0) + (experts.downAdapter == nil ? sizes.1 : 0)
        }
        let isTrained = experts.contains { $0.layers.downs.first?.weight.isTrained == true }
        return frozen == 0 || isTrained ? 0 : Double(frozen) / Double(parameterCount)
    }
}

extension Experts {
    /// The shape of the stack of gates and ups in transformers 5, as PEFT sees it: `[experts, out, in]`.
    var gateUpShape: [Int] {
        [configuration.count, 2 * configuration.intermediateSize, layers.gates[0].inFeatures]
    }
    var downShape: [Int] { [configuration.count, layers.downs[0].outFeatures, configuration.intermediateSize] }

    var targets: [ParameterTarget] {
        [
            ParameterTarget(name: router.name + ".weight", kind: .linear(router.linear)),
            ParameterTarget(name: gateUpName, kind: .gateUp(self)),
            ParameterTarget(name: downName, kind: .down(self)),
        ]
    }

    var gateUpName: String { name + ".gate_up_proj" }
    var downName: String { name + ".down_proj" }

    /// PEFT's name of the module that holds the adapter of gates and ups. If downs have an adapter too, PEFT wraps that around
    /// it.
    func gateUpModule(besideDown: Bool) -> String { besideDown ? name + ".base_layer" : name }

    var adapters: [(layer: String, adapter: LoRAAdapter)] {
        let all = [
            (router.name, router.linear.adapter), (gateUpName, gateUpAdapter), (downName, downAdapter),
        ]
        return all.compactMap { name, adapter in adapter.map { (name, $0) } }
    }
}

// MARK: Resolving names

extension Decoder {
    /// The settings with names as in PEFT with transformers 5, where experts that used to be modules are parameters.
    func resolved(_ settings: LoRASettings) -> LoRASettings {
        guard !experts.isEmpty else { return settings }
        let names = configuration.architecture.names
        var settings = settings
        let former = names.experts.formerNames
        if settings.targets == .allLinear {
            settings.targets = .names(names.linearNames)
            if settings.dropout == 0 && !settings.usesDoRA { addAllExperts(&settings) }
            return settings
        }
        guard case .names(let targets) = settings.targets else { return settings }
        let isFormer = { (name: String) in former[String(name.split(separator: ".").last ?? "")] }
        let parameters = Set(targets.compactMap(isFormer))
        guard !parameters.isEmpty else { return settings }
        let kept = targets.filter { isFormer($0) == nil }
        let meant = targets.filter { isFormer($0) != nil }
        // PEFT adapts gates and ups only together.
        let fused = former.filter { $0.value == "gate_up_proj" }.keys
        guard
            parameters.contains("gate_up_proj") == false
                || fused.allSatisfy({ name in
                    meant.contains { $0 == name || $0.hasSuffix("." + name) }
                })
        else { return settings }
        settings.targets = .names(kept)
        settings.targetParameters += parameters.sorted().map(parameterName)
        if parameters.contains("gate_up_proj") { doubleGateUp(&settings) }
        return settings
    }

    private func parameterName(_ name: String) -> String {
        let experts = configuration.architecture.names.experts
        return name == "gate.weight" ? experts.router + ".weight" : "experts.\(name)"
    }

    /// Adds every matrix of a mixture of experts.
    private func addAllExperts(_ settings: inout LoRASettings) {
        let names = configuration.architecture.names.experts
        var targets = ["\(names.router).weight", "experts.gate_up_proj", "experts.down_proj"]
        if let chosen = settings.layersToTransform {
            // PEFT applies a list of layers only to modules.
            let full = ["\(names.router).weight", "\(names.module).gate_up_proj", "\(names.module).down_proj"]
            targets = chosen.flatMap { layer in full.map { "layers.\(layer).\($0)" } }
        }
        settings.targetParameters = targets
        doubleGateUp(&settings)
    }

    /// A stack of gates and ups gets the sum of both ranks, as PEFT does for adapters from before transformers 5.
    private func doubleGateUp(_ settings: inout LoRASettings) {
        let pattern = #".*\.gate_up_proj"#
        if !settings.rankPattern.entries.contains(where: { $0.pattern.contains("gate_up_proj") }) {
            settings.rankPattern = LayerPatterns(settings.rankPattern.entries + [(pattern, 2 * settings.rank)])
        }
        if !settings.alphaPattern.entries.contains(where: { $0.pattern.contains("gate_up_proj") }) {
            settings.alphaPattern = LayerPatterns(settings.alphaPattern.entries + [(pattern, 2 * settings.alpha)])
        }
    }
}
