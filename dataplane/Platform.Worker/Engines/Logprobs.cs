using System.Text;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Engines;

/// <summary>Log probabilities of a step.</summary>
internal static class Logprobs
{
    /// <summary>Those of the chosen token and of the <paramref name="top"/> likeliest.</summary>
    public static TokenLogprobs Of(ReadOnlySpan<float> logits, int chosen, int top, Tokenizer tokenizer)
    {
        var largest = logits[Sampler.IndexOfLargest(logits)];
        var sum = 0.0;
        foreach (var logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        var normalizer = largest + Math.Log(sum);
        var best = new PriorityQueue<int, (float Logit, int Id)>();
        for (var id = 0; id < logits.Length && top > 0; id++)
        {
            if (best.Count < top)
            {
                best.Enqueue(id, (logits[id], -id));
            }
            else
            {
                best.EnqueueDequeue(id, (logits[id], -id));
            }
        }

        var list = new List<KeyValuePair<string, float>>(best.Count);
        while (best.TryDequeue(out var id, out var order))
        {
            list.Insert(0, new(TextOf(id, tokenizer), (float)(order.Logit - normalizer)));
        }

        return new TokenLogprobs(TextOf(chosen, tokenizer), (float)(logits[chosen] - normalizer), list);
    }

    private static string TextOf(int id, Tokenizer tokenizer) => Encoding.UTF8.GetString(tokenizer.RawBytesOf(id));
}
