/// A picture of quantities over the steps of a run: lines, bands, marks and stretches of trouble, without any look.
struct Chart: Sendable {
    struct Line: Sendable {
        enum Style: String, Sendable {
            case solid
            case faint
            case dots
        }

        var name: String
        var points: [(x: Double, y: Double)]
        var style = Style.solid
        /// The color's place in the palette of six.
        var color: Int
    }

    /// A range of values that is as it should be.
    struct Band: Sendable {
        var name: String
        var range: ClosedRange<Double>
    }

    /// Something that happened at a step.
    struct Mark: Sendable {
        enum Shape: String, Sendable { case star, ring }
        var name: String
        var shape: Shape
        var points: [(x: Double, y: Double, title: String)]
    }

    /// Steps during which an alert lasted.
    struct Span: Sendable {
        var range: ClosedRange<Double>
        var title: String
        var isCritical: Bool
    }

    /// For a file's name: letters, digits and underscores.
    var id: String
    var title: String
    var unit: String
    var lines: [Line]
    var band: Band?
    var marks: [Mark] = []
    var spans: [Span] = []
    /// Powers of ten are as far from one another as they are.
    var isLogarithmic = false
    /// The steps that the horizontal axis shows; those of the points at least.
    var steps: ClosedRange<Double> = 0...1

    var isEmpty: Bool { lines.allSatisfy { $0.points.isEmpty } }
}
