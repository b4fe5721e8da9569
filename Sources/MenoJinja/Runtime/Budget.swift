extension Jinja {
    /// What a rendering may still spend. Everything whose cost grows with the input pays before it works.
    final class Budget {
        let limits: JinjaTemplate.Limits
        private var steps = 0
        private var bytes = 0

        init(_ limits: JinjaTemplate.Limits) { self.limits = limits }

        /// - Parameter count: evaluations of an expression, or comparable work.
        func spend(_ count: Int = 1) throws {
            let (sum, overflow) = steps.addingReportingOverflow(count)
            guard !overflow, sum <= limits.steps else {
                throw JinjaError(.limit, "the template takes more than \(limits.steps) steps.")
            }
            steps = sum
        }

        /// - Parameter count: bytes about to be written into a new string or list. All are counted, also those that
        ///   are given back.
        func allocate(_ count: Int) throws {
            let (sum, overflow) = bytes.addingReportingOverflow(count)
            guard !overflow, sum <= limits.bytes else {
                throw JinjaError(.limit, "the template builds more than \(limits.bytes) bytes of text and lists.")
            }
            bytes = sum
            try spend(count / 64 + 1)
        }

        /// As ``allocate(_:)`` for `count` things of a size, whose product may be beyond any number.
        func allocate(_ count: Int, each size: Int) throws {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            try allocate(overflow ? .max : product)
        }
    }
}
