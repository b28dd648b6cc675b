using Microsoft.Extensions.Options;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /v1/completions</c>: an OpenAI completion, streamed if the caller asks for it.</summary>
internal sealed class CompletionsFunction(CompletionRouter router, TimeProvider time, IOptions<RouterOptions> options, ILogger<CompletionsFunction> logger)
{
    [Function("Completions")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "v1/completions")] HttpRequest request, CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        var completion = await CompletionRequest.ReadAsync(request, Routes.WorkerCompletions, options.Value.MaxRequestBytes, cancellationToken);
        return new CompletionResult(await router.SendAsync(completion, arrived, cancellationToken), logger);
    }
}
