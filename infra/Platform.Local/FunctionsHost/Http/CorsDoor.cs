using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Answers browsers that ask whether a page of another origin may call.</summary>
internal sealed class CorsDoor(CorsSettings cors)
{
    /// <summary>Adds what a browser needs to the answer; true if the request was such a question alone, and is answered.</summary>
    public bool Answers(HttpContext context)
    {
        var origin = context.Request.Headers.Origin.ToString();
        if (origin.Length == 0 || !cors.Allows(origin))
        {
            return false;
        }

        var headers = context.Response.Headers;
        if (cors.Origins.Contains("*"))
        {
            headers.AccessControlAllowOrigin = "*";
        }
        else
        {
            headers.AccessControlAllowOrigin = origin;
            headers.Vary = "Origin";
        }

        if (cors.AllowCredentials)
        {
            headers.AccessControlAllowCredentials = "true";
        }

        var method = context.Request.Headers.AccessControlRequestMethod;
        if (!HttpMethods.IsOptions(context.Request.Method) || method.Count == 0)
        {
            return false;
        }

        headers.AccessControlAllowMethods = method;
        if (context.Request.Headers.AccessControlRequestHeaders is { Count: > 0 } asked)
        {
            headers.AccessControlAllowHeaders = asked;
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return true;
    }
}
