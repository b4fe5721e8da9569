internal import Foundation

/// How the learning rate moves over a run, as transformers counts it.
public struct LearningRateSchedule: Sendable, Hashable {
    /// The course after the warm-up.
    public enum Course: String, Sendable, Hashable, CaseIterable {
        case constant, linear, cosine
    }

    /// The highest rate.
    public var peak: Double
    public var course: Course
    /// Steps over which the rate rises linearly from 0.
    public var warmupSteps: Int
    /// Steps in all.
    public var totalSteps: Int

    public init(peak: Double, course: Course, warmupSteps: Int, totalSteps: Int) {
        precondition(warmupSteps >= 0 && totalSteps >= 0)
        self.peak = peak
        self.course = course
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The rate of an optimizer step; the first one is step 0 (and has the rate 0 where there is a warm-up).
    public func rate(atStep step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step) / Double(warmupSteps) }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        return switch course {
        case .constant: peak
        case .linear: peak * max(0, 1 - progress)
        case .cosine: peak * max(0, 0.5 * (1 + cos(.pi * progress)))
        }
    }
}
