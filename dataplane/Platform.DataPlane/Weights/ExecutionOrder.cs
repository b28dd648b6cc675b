namespace Platform.DataPlane.Weights;

/// <summary>The order in which a decoder reads tensors: embedding, layer 0 to n, final norm, head. Names that say nothing keep their place in the file, before the norm.</summary>
/// <remarks>By hand: it is asked once per tensor and start, and regular expressions cost a process that starts more than all of the asking.</remarks>
internal static class ExecutionOrder
{
    private const int MostDigits = 6;
    private const int FirstLayer = 1;
    private const int Unknown = 10_000_000;
    private const int FinalNorm = Unknown + 1;
    private const int Head = Unknown + 2;

    private static readonly string[] LayerWords = ["layers.", "h.", "blocks.", "block."];

    /// <summary>Position of a tensor by its name alone; compare the file offset where it is equal.</summary>
    public static int Of(string name)
    {
        if (LayerOf(name) is { } layer)
        {
            return FirstLayer + layer;
        }

        if (name.Contains("embed", StringComparison.Ordinal) || name.Contains("wte", StringComparison.Ordinal))
        {
            return 0;
        }

        return name.Contains("lm_head", StringComparison.Ordinal) ? Head
            : name.Contains("norm", StringComparison.Ordinal) ? FinalNorm
            : Unknown;
    }

    /// <summary>The number behind the first part of the name that counts layers: <c>model.layers.12.mlp</c>.</summary>
    private static int? LayerOf(string name)
    {
        for (var at = 0; at < name.Length; at = NextPart(name, at))
        {
            foreach (var word in LayerWords)
            {
                if (string.CompareOrdinal(name, at, word, 0, word.Length) == 0 && NumberAt(name, at + word.Length) is { } layer)
                {
                    return layer;
                }
            }
        }

        return null;
    }

    private static int NextPart(string name, int at) => name.IndexOf('.', at) is >= 0 and var dot ? dot + 1 : name.Length;

    /// <summary>Digits with a dot behind them.</summary>
    private static int? NumberAt(string name, int at)
    {
        var (number, end) = (0, at);
        while (end < name.Length && end - at < MostDigits && char.IsAsciiDigit(name[end]))
        {
            number = (number * 10) + (name[end++] - '0');
        }

        return end > at && end < name.Length && name[end] == '.' ? number : null;
    }
}
