internal import Foundation

extension Jinja {
    /// Runs a template once.
    final class Renderer {
        let budget: Budget
        let now: Date
        /// The line at work, for messages.
        var line = 1
        /// What the filters of a block filter.
        var capturedText = ""
        var scope: Scope
        private let root: Scope
        /// What is being written: the result, and over it what blocks and macros capture.
        private var outputs: [[UInt8]] = [[]]
        private var generations: [Swift.Range<Int>] = []
        private let marksGeneration: Bool
        private var isInGeneration = false
        private var evaluations = 0
        /// What can stand in a circle of references; emptied at the end.
        private var namespaces: [Namespace] = []
        private var capturedScopes: [Scope] = []

        init(limits: JinjaTemplate.Limits, now: Date, marksGeneration: Bool) {
            budget = Budget(limits)
            self.now = now
            self.marksGeneration = marksGeneration
            root = Scope(parent: nil)
            scope = root
        }

        func render(_ template: Template, _ context: [String: JinjaValue]) throws -> JinjaTemplate.Rendering {
            defer {
                for namespace in namespaces { namespace.attributes = Dictionary() }
                for scope in capturedScopes + [root] { scope.variables = Variables() }
            }
            do {
                for (name, value) in context { root.variables[name] = try self.value(value, depth: 0) }
                _ = try run(template.body)
            } catch var failure as JinjaError {
                failure.line = failure.line ?? line
                throw failure
            }
            return JinjaTemplate.Rendering(text: String(decoding: outputs[0], as: UTF8.self), generation: generations)
        }

        /// What the caller gave, as the template sees it.
        private func value(_ value: JinjaValue, depth: Int) throws -> Value {
            guard depth < Depth.value else {
                throw JinjaError(.limit, "the template's values are nested more than \(Depth.value) deep.")
            }
            try budget.spend()
            switch value {
            case .none: return .none
            case .boolean(let value): return .boolean(value)
            case .integer(let value): return .integer(value)
            case .double(let value): return .double(value)
            case .string(let value): return .string(value)
            case .array(let values): return .list(try Items(values.map { try self.value($0, depth: depth + 1) }))
            case .object(let entries):
                var dictionary = Dictionary()
                for entry in entries { try dictionary.set(entry.key, to: self.value(entry.value, depth: depth + 1)) }
                return .dictionary(dictionary)
            }
        }

        // MARK: Scopes and output

        func makeNamespace() throws -> Namespace {
            try budget.allocate(128)
            let namespace = Namespace()
            namespaces.append(namespace)
            return namespace
        }

        func makeMacro(_ definition: MacroDefinition) throws -> Macro {
            try budget.allocate(64)
            if capturedScopes.last !== scope { capturedScopes.append(scope) }
            return Macro(definition, scope: scope)
        }

        func inScope<Result>(_ inner: Scope, _ run: () throws -> Result) rethrows -> Result {
            let outer = scope
            scope = inner
            defer { scope = outer }
            return try run()
        }

        func write(_ text: String) throws {
            let size = text.utf8.count
            try budget.allocate(size)
            guard size <= budget.limits.output - outputs[outputs.count - 1].count else {
                throw JinjaError(.limit, "the template writes more than \(budget.limits.output) bytes.")
            }
            outputs[outputs.count - 1].append(contentsOf: text.utf8)
        }

        /// The text that something writes, instead of its being written.
        func capture(_ run: () throws -> Void) throws -> String {
            outputs.append([])
            defer { outputs.removeLast() }
            try run()
            let bytes = outputs[outputs.count - 1]
            try budget.allocate(bytes.count)
            return String(decoding: bytes, as: UTF8.self)
        }

        /// Counts what is under evaluation, so that macros that call themselves end in an error, not in a crash.
        func descend<Result>(line: Int, _ run: () throws -> Result) throws -> Result {
            try budget.spend()
            self.line = line
            evaluations += 1
            defer { evaluations -= 1 }
            guard evaluations <= Depth.evaluation else {
                throw JinjaError(.limit, "calls and expressions are nested more than \(Depth.evaluation) deep.")
            }
            return try run()
        }

        // MARK: Generation blocks

        func generation(_ body: [Statement]) throws {
            let inner = Scope(parent: scope)
            guard marksGeneration, !isInGeneration else {
                _ = try inScope(inner) { try run(body) }
                return
            }
            guard outputs.count == 1 else {
                throw JinjaError(
                    .unsupported,
                    "a generation block inside a macro or a captured block has no known place in the text.")
            }
            isInGeneration = true
            defer { isInGeneration = false }
            let start = outputs[0].count
            _ = try inScope(inner) { try run(body) }
            if outputs[0].count > start { generations.append(start..<outputs[0].count) }
        }
    }
}
