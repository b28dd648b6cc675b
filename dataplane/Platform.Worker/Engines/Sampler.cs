using System.Runtime.CompilerServices;

namespace Platform.Worker.Engines;

/// <summary>Chooses the next token from logits. One per text, since its random numbers belong to the text.</summary>
internal sealed class Sampler(double temperature, int topK, double topP, long seed)
{
    /// <summary>Tokens less likely than e^-25 of the likeliest (1 in 7e10) are never sampled, which keeps the sort short.</summary>
    private const double LeastLogRatio = -25;

    private readonly List<(float Weight, int Id)> _candidates = [];
    private ulong _state = (ulong)seed;

    /// <summary>A token id.</summary>
    /// <param name="logits">One per token, all finite.</param>
    public int Choose(ReadOnlySpan<float> logits)
    {
        var best = IndexOfLargest(logits);
        if (temperature <= 0)
        {
            return best;
        }

        Collect(logits, logits[best]);
        var total = Filter();
        var target = NextUnit() * total;
        foreach (var (weight, id) in _candidates)
        {
            target -= weight;
            if (target < 0)
            {
                return id;
            }
        }

        return _candidates[^1].Id;
    }

    /// <summary>The smallest index with the largest value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int IndexOfLargest(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best])
            {
                best = i;
            }
        }

        return best;
    }

    private void Collect(ReadOnlySpan<float> logits, float largest)
    {
        _candidates.Clear();
        for (var id = 0; id < logits.Length; id++)
        {
            var logRatio = (logits[id] - largest) / temperature;
            if (logRatio >= LeastLogRatio)
            {
                _candidates.Add(((float)Math.Exp(logRatio), id));
            }
        }
    }

    /// <summary>Applies top-k, then top-p; returns the weight of what is left.</summary>
    private double Filter()
    {
        if (topK > 0 || topP < 1)
        {
            // Equal weights in the order of their ids, so that a seed means the same text everywhere.
            _candidates.Sort(static (a, b) => a.Weight != b.Weight ? b.Weight.CompareTo(a.Weight) : a.Id.CompareTo(b.Id));
        }

        if (topK > 0 && topK < _candidates.Count)
        {
            _candidates.RemoveRange(topK, _candidates.Count - topK);
        }

        var total = _candidates.Sum(candidate => (double)candidate.Weight);
        if (topP >= 1)
        {
            return total;
        }

        var sum = 0.0;
        for (var i = 0; i < _candidates.Count; i++)
        {
            sum += _candidates[i].Weight;
            if (sum >= topP * total)
            {
                _candidates.RemoveRange(i + 1, _candidates.Count - i - 1);
                break;
            }
        }

        return sum;
    }

    /// <summary>SplitMix64 (Steele, Lea and Flood 2014): the same numbers for a seed in every version of the runtime.</summary>
    private double NextUnit()
    {
        _state += 0x9e3779b97f4a7c15;
        var mixed = (_state ^ (_state >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return ((mixed ^ (mixed >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
