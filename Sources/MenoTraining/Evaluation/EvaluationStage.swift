package import MenoMetrics

/// Something that is done with the model after every evaluation, such as asking it questions.
///
/// What a stage throws is reported once and does not reach the training.
package protocol EvaluationStage {
    /// - Parameters:
    ///   - evaluation: what was just measured, of the weights that the model has now.
    ///   - elapsed: time since the run began. A stage limits its own share of it, and reports the time that it takes in its
    ///     events.
    /// - Returns: events to emit, in order.
    func run(after evaluation: EvaluationMetrics, elapsed: Duration) throws -> [RunEvent]
}
