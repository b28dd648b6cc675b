namespace Platform.Worker.Training;

/// <summary>How to train.</summary>
internal sealed record TrainingOptions
{
    public TrainingShape Shape { get; init; } = new();

    /// <summary>Steps of the optimizer. Default 1000.</summary>
    public int Steps { get; init; } = 1000;

    /// <summary>Sequences per step, a multiple of <see cref="Shards"/>. Default 8.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Tokens per sequence, 2 to the context; null for the whole context.</summary>
    public int? SequenceLength { get; init; }

    /// <summary>Largest learning rate: reached after a warm-up of 5 % of the steps, down to a twentieth of it along a cosine at the end. Default 0.003.</summary>
    public double LearningRate { get; init; } = 3e-3;

    /// <summary>Decides the first weights and the order of the text. Same seed, options and processor kind: same model.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Parts into which each step's sequences are divided, each with gradients of its own; decides the order of additions, so it belongs to the result. Default 2.</summary>
    public int Shards { get; init; } = 2;

    /// <summary>Threads; no influence on the result. Default 1.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Share of the text, from its end, that is held back to measure the loss on. Default 0.03.</summary>
    public double HeldBack { get; init; } = 0.03;
}

/// <summary>Where a training stands.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">Of the latest step, nats per token.</param>
/// <param name="TokensPerSecond">Since the previous report.</param>
/// <param name="LearningRate">Of the latest step.</param>
/// <param name="GradientNorm">Before clipping.</param>
internal sealed record TrainingProgress(int Step, double Loss, double TokensPerSecond, double LearningRate, double GradientNorm);

/// <summary>What a training came to.</summary>
/// <param name="Weights">The trained parameters.</param>
/// <param name="TrainingLoss">Mean over the last twentieth of the steps, nats per token.</param>
/// <param name="HeldBackLoss">On the text that was held back, nats per token; null if that is too short.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Duration">Wall time.</param>
internal sealed record TrainingResult(Parameters Weights, double TrainingLoss, double? HeldBackLoss, long Tokens, TimeSpan Duration);
