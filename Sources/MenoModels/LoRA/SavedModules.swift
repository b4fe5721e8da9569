extension ModuleNames {
    /// Whether a module is the one that a name in `modules_to_save` means, or is inside it. As in PEFT, a name matches the end of
    /// a module's full name in a standalone text model. The list of all layers is not a module in PEFT.
    static func isOrHolds(_ name: String, _ module: String) -> Bool {
        outermost(name, module) != nil
    }

    /// Whether a module is strictly inside the one that a name means.
    static func holds(_ name: String, _ module: String) -> Bool {
        outermost(name, module).map { $0 != alone(module) } ?? false
    }

    private static func outermost(_ name: String, _ module: String) -> String? {
        let (name, parts) = (alone(name), alone(module).split(separator: "."))
        return (1...max(1, parts.count)).lazy.map { parts.prefix($0).joined(separator: ".") }
            .first { $0.hasSuffix(name) && !$0.hasSuffix(".layers") }
    }
}
