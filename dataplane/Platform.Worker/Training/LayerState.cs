namespace Platform.Worker.Training;

/// <summary>What the backward pass of a block needs to know of its forward pass; [context, width] each, row-major.</summary>
internal sealed class LayerState(TrainingShape shape)
{
    public FloatMemory Input { get; } = new(shape.Context * shape.Hidden);

    /// <summary>One factor per row: 1 / root mean square.</summary>
    public FloatMemory AttentionScale { get; } = new(shape.Context);

    public FloatMemory AttentionNormed { get; } = new(shape.Context * shape.Hidden);

    /// <summary>Turned by position.</summary>
    public FloatMemory Query { get; } = new(shape.Context * shape.Hidden);

    /// <summary>Turned by position.</summary>
    public FloatMemory Key { get; } = new(shape.Context * shape.KeyValueSize);

    public FloatMemory Value { get; } = new(shape.Context * shape.KeyValueSize);

    /// <summary>[heads, context, context]; zero above the diagonal.</summary>
    public FloatMemory Probabilities { get; } = new(shape.Heads * shape.Context * shape.Context);

    public FloatMemory Attended { get; } = new(shape.Context * shape.Hidden);

    /// <summary>The residual stream between attention and feed-forward block.</summary>
    public FloatMemory Middle { get; } = new(shape.Context * shape.Hidden);

    public FloatMemory MlpScale { get; } = new(shape.Context);

    public FloatMemory MlpNormed { get; } = new(shape.Context * shape.Hidden);

    public FloatMemory Gate { get; } = new(shape.Context * shape.Intermediate);

    public FloatMemory Up { get; } = new(shape.Context * shape.Intermediate);

    /// <summary>Of the gate.</summary>
    public FloatMemory Sigmoid { get; } = new(shape.Context * shape.Intermediate);

    /// <summary>silu(gate) * up.</summary>
    public FloatMemory Inner { get; } = new(shape.Context * shape.Intermediate);
}
