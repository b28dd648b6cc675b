namespace Platform.Worker.Training;

/// <summary>The decoder to train: a Llama with tied embeddings.</summary>
internal sealed record TrainingShape
{
    public int Hidden { get; init; } = 128;

    public int Intermediate { get; init; } = 352;

    public int Layers { get; init; } = 4;

    public int Heads { get; init; } = 4;

    /// <summary>Divides <see cref="Heads"/>.</summary>
    public int KeyValueHeads { get; init; } = 2;

    public int Vocabulary { get; init; } = 768;

    /// <summary>Longest sequence; the model's context.</summary>
    public int Context { get; init; } = 512;

    public float NormEpsilon { get; init; } = 1e-5f;

    public double RopeTheta { get; init; } = 10000;

    public int HeadSize => Hidden / Heads;

    public int KeyValueSize => KeyValueHeads * HeadSize;

    /// <summary>All faults at once; null if it can be trained.</summary>
    public string? Fault()
    {
        var faults = new List<string>();
        void Expect(bool good, string fault)
        {
            if (!good)
            {
                faults.Add(fault);
            }
        }

        Expect(Heads >= 1 && Hidden >= 2 && Hidden % Heads == 0 && Hidden / Heads % 2 == 0, $"hidden size {Hidden} does not give {Heads} heads of an even size");
        Expect(KeyValueHeads >= 1 && Heads % Math.Max(KeyValueHeads, 1) == 0, $"{Heads} heads are not a multiple of {KeyValueHeads} key heads");
        Expect(Layers >= 1 && Intermediate >= 1 && Context >= 2, "layers and the feed-forward width must be at least 1, the context at least 2");
        Expect(Vocabulary >= 257, $"a vocabulary of {Vocabulary} has no room for 256 bytes and the end of a text");
        return faults.Count == 0 ? null : string.Join("; ", faults);
    }
}
