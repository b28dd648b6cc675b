using Microsoft.Extensions.Options;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /v1/chat/completions</c>: an OpenAI chat completion, streamed if the caller asks for it.</summary>
internal sealed class ChatCompletionsFunction(CompletionRouter router, TimeProvider time, IOptions<RouterOptions> options, ILogger<ChatCompletionsFunction> logger)
{
    [Function("ChatCompletions")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "v1/chat/completions")] HttpRequest request, CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        var completion = await CompletionRequest.ReadAsync(request, Routes.WorkerChatCompletions, options.Value.MaxRequestBytes, cancellationToken);
        return new CompletionResult(await router.SendAsync(completion, arrived, cancellationToken), logger);
    }
}
