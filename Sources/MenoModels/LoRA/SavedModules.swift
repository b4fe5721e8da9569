extension ModuleNames {
    /// Whether a module is the one that a name of `modules_to_save` means, or lies in it: as PEFT compares, a name is the end
    /// of a module's full name, where its text model stands alone. The list of all layers is no module to PEFT.
    static func isOrHolds(_ name: String, _ module: String) -> Bool {
        outermost(name, module) != nil
    }

    /// Whether a module lies in the one that a name means, and is not that itself.
    static func holds(_ name: String, _ module: String) -> Bool {
        outermost(name, module).map { $0 != alone(module) } ?? false
    }

    private static func outermost(_ name: String, _ module: String) -> String? {
        let (name, parts) = (alone(name), alone(module).split(separator: "."))
        return (1...max(1, parts.count)).lazy.map { parts.prefix($0).joined(separator: ".") }
            .first { $0.hasSuffix(name) && !$0.hasSuffix(".layers") }
    }
}
