internal import Logging

/// Faults of what accompanies a run. Each part's first one is reported, and none harms the training.
final class Faults {
    private let logger: Logger
    private var failed: Set<String> = []

    init(_ logger: Logger) { self.logger = logger }

    /// - Parameters:
    ///   - part: whose work it is.
    ///   - number: tells parts of the same type apart.
    /// - Returns: `nil` where the work failed.
    @discardableResult
    func attempt<Result>(_ part: Any, number: Int, _ work: () throws -> Result) -> Result? {
        do {
            return try work()
        } catch {
            let name = "\(type(of: part))"
            if failed.insert("\(name) \(number)").inserted {
                logger.error("\(name) failed; training continues: \(error.text)")
            }
            return nil
        }
    }
}
