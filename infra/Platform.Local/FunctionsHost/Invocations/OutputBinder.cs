using System.Text.Json;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Sends the outputs of a successful invocation where their bindings say. Outputs without a binding are ignored.</summary>
internal sealed class OutputBinder(QueueProviders queues, AppSettings settings, HostSettings host, TimeProvider time)
{
    /// <summary>Completes when every message is durable in its queue.</summary>
    /// <param name="function">The function that ran.</param>
    /// <param name="envelope">What it got, for binding expressions.</param>
    /// <param name="answer">What it answered.</param>
    /// <param name="cancellationToken">Gives up; messages may have been sent.</param>
    public async Task BindAsync(FunctionDefinition function, ReadOnlyMemory<byte> envelope, EnvelopeResponse answer, CancellationToken cancellationToken)
    {
        foreach (var binding in function.Outputs.Where(binding => binding.Type == BindingTypes.Queue))
        {
            var value = binding.IsReturnValue ? answer.ReturnValue : Output(answer, binding.Name);
            if (value is not { } present)
            {
                continue;
            }

            var messages = OutputValue.ToMessages(present, binding.IsBinary);
            if (messages.Count > 0)
            {
                var queue = queues.Open(BindingExpressions.Expand(settings.Expand(binding.Text("queueName") ?? ""), function, envelope, time.GetUtcNow()), binding.Text("connection"));
                foreach (var message in messages)
                {
                    await queue.SendAsync(QueueEncoding.Encode(message, host.Queues.Base64), cancellationToken);
                }
            }
        }
    }

    private static JsonElement? Output(EnvelopeResponse answer, string name) =>
        answer.Outputs is { } outputs && outputs.TryGetValue(name, out var value) ? value : null;
}
