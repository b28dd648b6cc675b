using System.Text.RegularExpressions;

namespace Platform.DataPlane.Weights;

/// <summary>Sorts tensors in the order in which a decoder reads them: embedding, layer 0 to n, final norm, head. Names that say nothing keep their place in the file, before the norm.</summary>
internal static partial class ExecutionOrder
{
    /// <summary>Position of a tensor by its name alone; compare the file offset where it is equal.</summary>
    public static (int Stage, int Layer) Of(string name)
    {
        var layer = LayerPattern().Match(name);
        if (layer.Success && int.TryParse(layer.Groups["layer"].ValueSpan, out var number))
        {
            return (1, number);
        }

        if (name.Contains("embed", StringComparison.Ordinal) || name.Contains("wte", StringComparison.Ordinal))
        {
            return (0, 0);
        }

        return name.Contains("lm_head", StringComparison.Ordinal) ? (4, 0)
            : name.Contains("norm", StringComparison.Ordinal) ? (3, 0)
            : (2, 0);
    }

    [GeneratedRegex(@"(?:^|\.)(?:layers|h|blocks|block)\.(?<layer>\d{1,6})\.", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LayerPattern();
}
