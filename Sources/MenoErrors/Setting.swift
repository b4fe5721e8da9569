/// A choice of the user that an error points at. Libraries know neither keys of files nor flags; a front end names the setting
/// as its users write it.
public enum Setting: String, Sendable, CaseIterable {
    // Model
    case model, modelDownload, adapter, dtype, device
    // Data
    case dataPath, maxLength, onInvalid, chatTemplate
    // Training
    case baseOutputDirectory, loggingDirectory, trackers
    case epochs, maxSteps, batchSize, dropsLast, learningRate, warmup
    case gradientCheckpointing, tokensPerPass
    // LoRA
    case loraRank, loraAlpha, loraDropout, targetModules, excludedModules, layersToTransform, modulesToSave
    case targetParameters, rankPattern, alphaPattern, initialAdapter
    // What a command does
    case resumption, allowedChanges, overwrites, verification, outputFolder
}
