using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar;

/// <summary><c>/v1.0/healthz</c> and <c>/v1.0/healthz/outbound</c>; the only routes without a token.</summary>
internal sealed class HealthApi(string appId, Func<bool> isReady)
{
    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (!HttpMethods.IsGet(context.Request.Method) || !path.Is(0, "v1.0") || !path.Is(1, "healthz"))
        {
            return false;
        }

        if (path.Count == 3 && path.Is(2, "outbound"))
        {
            await context.AnswerNothingAsync(); // Components are loaded before the port opens.
            return true;
        }

        if (path.Count != 2)
        {
            return false;
        }

        var asked = context.Request.Query["appid"].ToString();
        if (asked.Length > 0 && asked != appId)
        {
            throw new DaprErrorException(500, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match");
        }

        if (!isReady())
        {
            throw new DaprErrorException(500, "ERR_HEALTH_NOT_READY", "dapr is not ready: [runtime]");
        }

        await context.AnswerNothingAsync();
        return true;
    }
}
