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

        var list = new List<TokenLogprob>(best.Count);
        while (best.TryDequeue(out var id, out var order))
        {
            list.Insert(0, Of(id, (float)(order.Logit - normalizer), tokenizer));
        }

        return new TokenLogprobs(Of(chosen, (float)(logits[chosen] - normalizer), tokenizer), list);
    }

    private static TokenLogprob Of(int id, float logprob, Tokenizer tokenizer)
    {
        var bytes = tokenizer.RawBytesOf(id).ToArray();
        return new TokenLogprob(Encoding.UTF8.GetString(bytes), bytes, logprob);
    }
}
