using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Turns failures of Dapr calls into answers: what is away is 503, a code that an actor chose is kept.</summary>
internal sealed class SidecarProblems : IProblemMapper
{
    public Problem? Map(Exception exception) => exception switch
    {
        DaprActorMethodException { ErrorCode: ErrorCodes.InvalidRequest or ErrorCodes.ModelInvalid } fault => Problem.Of(400, fault.ErrorCode!, fault.Message),
        DaprActorMethodException => null,
        DaprActorException away => Problem.Of(503, ErrorCodes.Unavailable, $"Control is not reachable at present: {away.Message} Try again in a moment; 'platform status' shows what runs."),
        DaprInvocationException { IsTransport: true } away => Problem.Of(503, ErrorCodes.Unavailable, $"'{away.AppId}' is not reachable at present: {away.Message} Try again in a moment; 'platform status' shows what runs."),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } large => Problem.Of(413, ErrorCodes.BodyTooLarge, large.Message),
        _ => null,
    };
}
