{{/* What the accounts of the values become: a configuration file, a Secret, and files with credentials. */}}

{{/* The folder, below accounts/, with the credentials of the account of that name. */}}
{{- define "flatfile-exporter.accountDirectory" -}}
{{- $plain := regexReplaceAll "[^A-Za-z0-9_-]+" . "-" | trunc 40 -}}
{{- if eq $plain . -}}
{{- $plain -}}
{{- else -}}
{{- printf "%s-%s" $plain (sha256sum . | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/*
The files of an account's credentials, as YAML: name of the file -> the Secret's key. Empty where there are none.
Only with `existingSecret` can the client id be in a file.
*/}}
{{- define "flatfile-exporter.credentialFiles" -}}
{{- $auth := .auth | default dict -}}
{{- $own := include "flatfile-exporter.accountDirectory" .name -}}
{{- $files := dict -}}
{{- if $auth.existingSecret -}}
  {{- if $auth.accessTokenKey -}}
    {{- $_ := set $files "access-token" $auth.accessTokenKey -}}
  {{- else -}}
    {{- $_ := set $files "client-secret" (default "client-secret" $auth.clientSecretKey) -}}
    {{- if not $auth.clientId -}}
      {{- $_ := set $files "client-id" (default "client-id" $auth.clientIdKey) -}}
    {{- end -}}
  {{- end -}}
{{- else -}}
  {{- if $auth.clientSecret -}}{{- $_ := set $files "client-secret" (printf "%s.client-secret" $own) -}}{{- end -}}
  {{- if $auth.accessToken -}}{{- $_ := set $files "access-token" (printf "%s.access-token" $own) -}}{{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* The configuration file */}}
{{- define "flatfile-exporter.config" -}}
{{- $accounts := list -}}
{{- range .Values.accounts -}}
  {{- $auth := dict -}}
  {{- with (.auth | default dict).clientId -}}{{- $_ := set $auth "client_id" . -}}{{- end -}}
  {{- $directory := include "flatfile-exporter.accountDirectory" .name -}}
  {{- range $file, $_ := include "flatfile-exporter.credentialFiles" . | fromYaml -}}
    {{- $_ := set $auth (printf "%s_file" ($file | replace "-" "_")) (printf "/etc/flatfile-exporter/accounts/%s/%s" $directory $file) -}}
  {{- end -}}
  {{- $accounts = append $accounts (merge (dict "name" .name "auth" $auth) (deepCopy (.config | default dict))) -}}
{{- end -}}
{{- toYaml (merge (dict "accounts" $accounts) (deepCopy (.Values.config | default dict))) -}}
{{- end -}}

{{/* The sources of the projected volume with all credentials */}}
{{- define "flatfile-exporter.credentialSources" -}}
{{- $root := . -}}
{{- range .Values.accounts }}
{{- $directory := include "flatfile-exporter.accountDirectory" .name }}
- secret:
    name: {{ default (include "flatfile-exporter.fullname" $root) .auth.existingSecret | quote }}
    items:
      {{- range $file, $key := include "flatfile-exporter.credentialFiles" . | fromYaml }}
      - key: {{ $key | quote }}
        path: {{ printf "%s/%s" $directory $file | quote }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* The credentials that stand in the values, as data of a Secret */}}
{{- define "flatfile-exporter.secretData" -}}
{{- $data := dict -}}
{{- range .Values.accounts -}}
  {{- $directory := include "flatfile-exporter.accountDirectory" .name -}}
  {{- with (.auth | default dict).clientSecret -}}{{- $_ := set $data (printf "%s.client-secret" $directory) (b64enc .) -}}{{- end -}}
  {{- with (.auth | default dict).accessToken -}}{{- $_ := set $data (printf "%s.access-token" $directory) (b64enc .) -}}{{- end -}}
{{- end -}}
{{- if $data }}{{ toYaml $data }}{{ end -}}
{{- end -}}
