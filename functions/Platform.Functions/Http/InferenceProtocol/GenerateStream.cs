using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>POST /v2/models/{model}[/versions/{version}]/generate_stream</c>: one text as server-sent events, by the protocol's extension for language models.</summary>
internal sealed class GenerateStreamFunction(InferenceRouter router)
{
    [Function("V2GenerateStream")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/models/{model}/generate_stream")] HttpRequest request, string model, CancellationToken cancellationToken) =>
        router.SendAsync(request, model, null, Routes.WorkerGenerateStream, stream: true, cancellationToken);

    [Function("V2GenerateStreamVersion")]
    public Task<IResult> RunVersion([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/models/{model}/versions/{version}/generate_stream")] HttpRequest request, string model, string version, CancellationToken cancellationToken) =>
        router.SendAsync(request, model, version, Routes.WorkerGenerateStream, stream: true, cancellationToken);
}
