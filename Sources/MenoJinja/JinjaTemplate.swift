package import Foundation

/// A chat template in the Jinja language, read once and rendered any number of times.
package struct JinjaTemplate: Sendable, Hashable {
    /// What one rendering may cost. A template that needs more ends in an error.
    package struct Limits: Sendable, Hashable {
        /// Bytes of the result, and of whatever a macro or a block writes.
        package var output: Int
        /// Bytes of all strings and lists made on the way, those given up again included.
        package var bytes: Int
        /// Evaluations of expressions, rounds of loops and comparable work.
        package var steps: Int

        package init(output: Int = 64 << 20, bytes: Int = 256 << 20, steps: Int = 10_000_000) {
            self.output = output
            self.bytes = bytes
            self.steps = steps
        }
    }

    package struct Rendering: Sendable, Hashable {
        package var text: String
        /// The UTF-8 bytes of `text` written inside `{% generation %}` blocks: ascending, none empty.
        package var generation: [Range<Int>]
    }

    package let source: String
    /// Whether the template marks what the assistant writes.
    package var hasGenerationBlocks: Bool { template.hasGenerationBlocks }
    private let template: Jinja.Template

    /// - Throws: ``JinjaError`` where the template cannot be read.
    package init(_ source: String) throws {
        self.source = source
        template = try Jinja.Parser.template(of: source)
    }

    /// - Parameters:
    ///   - variables: the names that the template sees beside the language's own.
    ///   - marksGeneration: whether the ranges of generation blocks are wanted. Where they are, a generation block
    ///     whose text is captured by a macro, `set` or a filter is an error: its place in the result is not known.
    ///   - now: what `strftime_now` writes, in the local time zone.
    /// - Throws: ``JinjaError``, with the line of the template.
    package func render(
        _ variables: [String: JinjaValue], marksGeneration: Bool = true, now: Date = Date(), limits: Limits = Limits()
    ) throws -> Rendering {
        try Jinja.Renderer(limits: limits, now: now, marksGeneration: marksGeneration).render(template, variables)
    }

    package static func == (a: Self, b: Self) -> Bool { a.source.utf8.elementsEqual(b.source.utf8) }

    package func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
