{{- define "roadstead.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "roadstead.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "roadstead.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.selectorLabels" -}}
app.kubernetes.io/name: {{ include "roadstead.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "roadstead.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "roadstead.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "roadstead.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "roadstead.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "roadstead.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.secretName" -}}
{{- default (include "roadstead.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{/* "yes" when values say what is in the secret. */}}
{{- define "roadstead.ownSecrets" -}}
{{- with .Values.secrets -}}
{{- if or .adminPassword .secretKey .databaseUrl .redisUrl .awsAccessKeyId -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* "yes" when the volume of the one replica is all that there is. */}}
{{- define "roadstead.local" -}}
{{- if or (eq .Values.database.type "sqlite") (eq .Values.storage.type "file") -}}yes{{- end -}}
{{- end -}}

{{- define "roadstead.claimName" -}}
{{- default (include "roadstead.fullname" .) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "roadstead.ingressHost" -}}
{{- if .Values.ingress.host -}}
{{- .Values.ingress.host -}}
{{- else -}}
{{- regexReplaceAll ":[0-9]+$" (regexReplaceAll "^https?://" .Values.externalUrl "") "" -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.storageUrl" -}}
{{- $s3 := .Values.storage.s3 -}}
s3://{{ $s3.bucket }}{{ if $s3.prefix }}/{{ $s3.prefix }}{{ end }}?{{ if $s3.endpoint }}endpoint={{ $s3.endpoint }}&{{ end }}region={{ $s3.region }}
{{- end -}}

{{/* Combinations that cannot work, said before anything is installed. */}}
{{- define "roadstead.verify" -}}
{{- $own := .Values.secrets -}}
{{- $server := ne .Values.database.type "sqlite" -}}
{{- $many := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is needed: where you pushed the image of deploy/container/Containerfile" -}}
{{- end -}}
{{- if and $many (not $server) -}}
{{- fail "several replicas need a server database: database.type is sqlite, whose file belongs to one process" -}}
{{- end -}}
{{- if and $many (eq .Values.storage.type "file") -}}
{{- fail "several replicas need storage.type s3: file is the volume of one replica" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and (eq .Values.storage.type "s3") (not .Values.storage.s3.bucket) -}}
{{- fail "storage.s3.bucket is needed with storage.type s3" -}}
{{- end -}}
{{- if $own.existingSecret -}}
{{- if or $own.adminPassword $own.secretKey $own.databaseUrl $own.redisUrl $own.awsAccessKeyId $own.awsSecretAccessKey -}}
{{- fail "secrets.existingSecret and values of secrets exclude each other" -}}
{{- end -}}
{{- else -}}
{{- if and $server (not $own.databaseUrl) -}}
{{- fail "a server database needs secrets.databaseUrl or secrets.existingSecret" -}}
{{- end -}}
{{- if and $server (not (hasPrefix (printf "%s://" .Values.database.type) $own.databaseUrl)) -}}
{{- fail (printf "secrets.databaseUrl does not begin with %s://, as database.type says" .Values.database.type) -}}
{{- end -}}
{{- if and $server (not $own.secretKey) -}}
{{- fail "a server database needs secrets.secretKey (openssl rand -hex 32) or secrets.existingSecret" -}}
{{- end -}}
{{- if and $server (not $own.adminPassword) -}}
{{- fail "a server database needs secrets.adminPassword or secrets.existingSecret: a generated password would be lost with the pod" -}}
{{- end -}}
{{- if and .Values.redis.enabled (not $own.redisUrl) -}}
{{- fail "redis.enabled needs secrets.redisUrl or secrets.existingSecret" -}}
{{- end -}}
{{- if ne (empty $own.awsAccessKeyId) (empty $own.awsSecretAccessKey) -}}
{{- fail "secrets.awsAccessKeyId and secrets.awsSecretAccessKey go together" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not (include "roadstead.ingressHost" .)) -}}
{{- fail "ingress.enabled needs ingress.host or externalUrl" -}}
{{- end -}}
{{- end -}}
