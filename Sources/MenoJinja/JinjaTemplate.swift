package import Foundation

/// A chat template in the Jinja language, parsed once and rendered any number of times.
package struct JinjaTemplate: Sendable, Hashable {
    /// Resource limits of one rendering. A template that exceeds them throws an error.
    package struct Limits: Sendable, Hashable {
        /// Bytes of the result, and of the output of each macro or block.
        package var output: Int
        /// Total bytes of all strings and lists created during rendering, including discarded ones.
        package var bytes: Int
        /// The number of evaluated expressions, loop iterations and similar steps.
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
    /// Whether the template marks the assistant's text with generation blocks.
    package var hasGenerationBlocks: Bool { template.hasGenerationBlocks }
    private let template: Jinja.Template

    /// - Throws: ``JinjaError`` if the template cannot be parsed.
    package init(_ source: String) throws {
        self.source = source
        template = try Jinja.Parser.template(of: source)
    }

    /// - Parameters:
    ///   - variables: the variables of the template, in addition to the built-in ones.
    ///   - marksGeneration: whether to return the ranges of generation blocks. If so, a generation block whose text is captured
    ///     by a macro, `set` or a filter is an error, since its position in the result is unknown.
    ///   - now: the time that `strftime_now` formats, in the local time zone.
    /// - Throws: ``JinjaError``, with the line of the template.
    package func render(
        _ variables: [String: JinjaValue], marksGeneration: Bool = true, now: Date = Date(), limits: Limits = Limits()
    ) throws -> Rendering {
        try Jinja.Renderer(limits: limits, now: now, marksGeneration: marksGeneration).render(template, variables)
    }

    package static func == (a: Self, b: Self) -> Bool { a.source.utf8.elementsEqual(b.source.utf8) }

    package func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
